"""Reads a pulled corpus the way a trainer would and holds it against its manifest.

Usage: check_corpus.py DIR
"""

import hashlib
import json
import pathlib
import sys

import polars
import pyarrow.parquet
import yaml

FIRST_COLUMNS = ["prompt", "text", "token_length", "audience", "format", "seed_data"]
FURTHER_COLUMNS = ["id", "seq", "template", "endpoint", "model", "sampling_seed", "finish_reason", "scores"]


def main(directory: pathlib.Path) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    content = manifest["content"]

    commit = hashlib.sha1()
    for file in sorted(content["files"], key=lambda file: file["path"].encode()):
        data = (directory / file["path"]).read_bytes()
        assert len(data) == file["bytes"], file
        assert hashlib.sha256(data).hexdigest() == file["sha256"], file
        commit.update(file["path"].encode() + b"\0" + file["sha256"].encode() + b"\n")
    assert commit.hexdigest() == content["commit"], "the commit does not name these files"

    parquet = [file for file in content["files"] if file["path"].endswith(".parquet")]
    assert parquet, "no parquet shard"
    rows = 0
    seqs = []
    for file in parquet:
        table = pyarrow.parquet.read_table(directory / file["path"])
        assert table.column_names == FIRST_COLUMNS + FURTHER_COLUMNS, table.column_names
        assert table.num_rows == file["rows"], file
        frame = polars.read_parquet(directory / file["path"])
        assert frame.height == file["rows"], file
        assert all(json.loads(seed) is not None for seed in frame["seed_data"])
        seqs.extend(frame["seq"].to_list())
        rows += file["rows"]
    assert rows == content["rows"] == content["counts"]["rows"], (rows, content["rows"])
    assert seqs == sorted(set(seqs)), "seq is not strictly ascending"
    counts = content["counts"]
    assert counts["accepted"] - sum(counts["dropped"].values()) == rows
    assert counts["accepted"] + sum(counts["rejected"].values()) + sum(counts["failed"].values()) == counts["ended"]

    card = (directory / "README.md").read_text()
    assert card.startswith("---\n")
    header = yaml.safe_load(card.split("---\n")[1])
    paths = [str(entry["path"]) for config in header["configs"] for entry in config["data_files"]]
    assert all(path.endswith(".parquet") for path in paths), paths
    print(json.dumps({"rows": rows, "audiences": sorted(counts["cells"])}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
