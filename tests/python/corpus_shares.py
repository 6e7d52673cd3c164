"""Adds up the rows and tokens of a pulled corpus by the values of a column.

Usage: corpus_shares.py DIR COLUMN
"""

import json
import pathlib
import sys

import polars


def main(directory: pathlib.Path, column: str) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    paths = [file["path"] for file in manifest["content"]["files"] if file["path"].endswith(".parquet")]
    rows = polars.concat([polars.read_parquet(directory / path) for path in paths])
    shares = rows.group_by(column).agg(
        rows=polars.len(), tokens=polars.col("token_length").sum(), texts=polars.col("text").n_unique()
    )
    print(json.dumps({share.pop(column): share for share in shares.to_dicts()}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
