"""Near deduplication by others, on the same Parquet files: near_peers.py NAME DIR OUT.

Writes a line "document<TAB>root" for each document that goes (the document itself where the program does not tell
whose duplicate it is), and prints CPU seconds of this process and its children.
"""

import json
import resource
import shutil
import sys
from pathlib import Path

BANDS, ROWS = 14, 8
THRESHOLD = 0.7


def rensa(corpus, out):
    """One pass: a document goes if one that stayed has an estimated Jaccard of 0.7 or more."""
    import pyarrow.parquet
    from rensa import RMinHash, RMinHashLSH

    permutations = BANDS * ROWS
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=permutations, num_bands=BANDS)
    kept = {}
    number = 0
    for path in sorted(corpus.glob("*.parquet")):
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(columns=["text"]):
            for text in batch.column(0).to_pylist():
                words = text.lower().split()
                signature = RMinHash(num_perm=permutations, seed=42)
                signature.update([" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))])
                near = [it for it in index.query(signature) if signature.jaccard(kept[it]) >= THRESHOLD]
                if near:
                    out.write(f"{number}\t{min(near)}\n")
                else:
                    index.insert(number, signature)
                    kept[number] = signature
                number += 1


def datatrove(corpus, out):
    """Its four stages, one task and one worker each."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
    )
    from datatrove.pipeline.readers import JsonlReader, ParquetReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    scratch = corpus / "datatrove"
    shutil.rmtree(scratch, ignore_errors=True)
    config = MinhashConfig(
        hash_config=HashConfig(precision=64), n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS
    )
    folder = {name: str(scratch / name) for name in ("signatures", "buckets", "remove", "removed", "logs")}
    reader = ParquetReader(str(corpus), text_key="text", id_key="id", glob_pattern="*.parquet")

    def run(stages, tasks=1):
        LocalPipelineExecutor(pipeline=stages, tasks=tasks, workers=1, skip_completed=False).run()

    run([reader, MinhashDedupSignature(output_folder=folder["signatures"], config=config)])
    buckets = MinhashDedupBuckets(
        input_folder=folder["signatures"], output_folder=folder["buckets"], config=config
    )
    run([buckets], tasks=BANDS)
    run([MinhashDedupCluster(folder["buckets"], folder["remove"], config=config)])
    removed = JsonlWriter(folder["removed"], compression=None)
    run([reader, MinhashDedupFilter(folder["remove"], exclusion_writer=removed)])
    for document in JsonlReader(folder["removed"], glob_pattern="**/*.jsonl").run():
        number = int(document.id, 16)
        out.write(f"{number}\t{number}\n")
    shutil.rmtree(scratch)


def main():
    name, corpus, path = sys.argv[1:]
    with open(path, "w") as out:
        {"rensa": rensa, "datatrove": datatrove}[name](Path(corpus), out)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"cpu_s": sum(it.ru_utime + it.ru_stime for it in usages)}))


main()
