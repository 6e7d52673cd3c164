"""Reads a corpus by its Croissant metadata, with MLCommons' own library and nothing of ours.

    pip install 'mlcroissant[parquet]==1.1.1'      (372 MB with what it needs, so no test of every day)
    python tests/python/check_croissant.py DIR

Fails on errors and on warnings other than the one for a missing date, which a corpus cannot have; then reads every
record of every split and compares the number and the ids with the Parquet files. No network is needed.
"""

import hashlib
import json
import logging
import pathlib
import sys

import mlcroissant
import pyarrow.parquet

ALLOWED = "datePublished"


def main():
    place = pathlib.Path(sys.argv[1])
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("absl").addHandler(handler)
    dataset = mlcroissant.Dataset(jsonld=place / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors, issues.errors
    unexpected = [warning for warning in issues.warnings if ALLOWED not in warning]
    unexpected += [text for text in said if "@context" in text]
    assert not unexpected, unexpected
    metadata = json.loads((place / "croissant.json").read_text())
    hashed = 0
    for file in metadata["distribution"]:
        if file["@type"] == "cr:FileObject":
            data = (place / file["contentUrl"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == file["sha256"], file["contentUrl"]
            hashed += 1
    records = {}
    for record_set in dataset.metadata.record_sets:
        split = record_set.uuid
        ids = [record[f"{split}/id"].decode() for record in dataset.records(split)]
        shards = sorted((place / "data").glob(f"{split}-*.parquet"))
        own = [row for shard in shards for row in pyarrow.parquet.read_table(shard)["id"].to_pylist()]
        assert ids == own, split
        records[split] = len(ids)
    print(json.dumps({"files": hashed, "records": records, "warnings": sorted(issues.warnings)}))


if __name__ == "__main__":
    main()
