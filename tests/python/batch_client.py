"""Sends a batch the way users of the openai package do, and says what came of it.

Usage: batch_client.py BASE_URL; the key is read from standard input.
"""

import json
import sys
import time

import openai
from openai.types import Batch, FileObject

PATH = "/v1/chat/completions"


def line(number: int, **more: object) -> dict:
    body = {"model": "m", "messages": [{"role": "user", "content": f"prompt {number}"}], **more}
    return {"custom_id": f"request-{number}", "method": "POST", "url": PATH, "body": body}


def upload(client: openai.OpenAI, lines: list[dict]) -> str:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    made = client.files.create(file=("requests.jsonl", text.encode()), purpose="batch")
    FileObject.model_validate(made.model_dump(exclude_unset=True))
    return made.id


def run(client: openai.OpenAI, lines: list[dict], **more: object) -> Batch:
    asked = {"endpoint": PATH, "completion_window": "24h", **more}
    made = client.batches.create(input_file_id=upload(client, lines), **asked)
    while made.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.01)
        made = client.batches.retrieve(made.id)
        # The package reads any reply; its types say what a strict client would take.
        Batch.model_validate(made.model_dump(exclude_unset=True))
    return made


def rows(client: openai.OpenAI, file: str | None) -> dict:
    found = {}
    for text in client.files.content(file).text.splitlines() if file else []:
        try:
            row = json.loads(text)
        except ValueError:
            continue
        found[row["custom_id"]] = row
    return found


def refused(ask) -> str:
    try:
        ask()
    except openai.BadRequestError as error:
        return error.message
    raise AssertionError("it was taken")


def main(base_url: str) -> None:
    key = sys.stdin.read().strip()
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    good = run(client, [line(0, max_completion_tokens=9), line(1), line(2, top_k=3)], metadata={"whose": "mine"})
    answers, errors = rows(client, good.output_file_id), rows(client, good.error_file_id)
    texts = [answers[f"request-{n}"]["response"]["body"]["choices"][0]["message"]["content"] for n in (0, 1)]
    twice = run(client, [line(0), line(0)])
    listed = [batch.id for batch in client.batches.list(limit=1)]
    seen = {
        "package": openai.__version__,
        "status": good.status,
        "texts": texts,
        "unknown_field": errors["request-2"]["response"]["status_code"],
        "found": [batch.id for batch in client.batches.list() if (batch.metadata or {}).get("whose") == "mine"] == [good.id],
        "twice": [twice.status, twice.errors.data[0].code, twice.errors.data[0].line],
        "listed": listed == [twice.id, good.id],
        "purpose": refused(lambda: client.files.create(file=("x.jsonl", b"{}"), purpose="fine-tune")),
        "window": refused(lambda: run(client, [line(0)], completion_window="1h")),
    }
    print(json.dumps(seen))


main(*sys.argv[1:])
