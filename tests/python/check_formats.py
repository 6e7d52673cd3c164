"""Token formats and conversations of a corpus, read as trainers read them, beside its Parquet.

Usage: check_formats.py train SOURCE.jsonl TOKENIZER.json
       check_formats.py check DIR TOKENIZER.json

`train` makes a small byte-level BPE tokenizer. `check` encodes every text anew with the library's own Python package and
holds it against what each format has. Where the package datatrove is installed, its own reader reads the .ds files too.
"""

import json
import pathlib
import struct
import sys

import numpy
import pyarrow.parquet
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"


def train(source: pathlib.Path, out: pathlib.Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (json.loads(line)["text"] for line in source.read_text().splitlines())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_truncation(16)
    tokenizer.save(str(out))
    print(json.dumps({"vocabulary": tokenizer.get_vocab_size()}))


def shards(directory: pathlib.Path, content: dict, prefix: str, ending: str) -> list:
    found = [file for file in content["files"] if file["path"].startswith(prefix) and file["path"].endswith(ending)]
    assert found, f"no {prefix}*{ending}"
    return [(directory / file["path"], file) for file in sorted(found, key=lambda file: file["path"])]


def check(directory: pathlib.Path, path: pathlib.Path) -> None:
    content = json.loads((directory / "manifest.json").read_text())["content"]
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    end = tokenizer.token_to_id(END)
    expected, tables = [], []
    for file, _ in shards(directory, content, "data/", ".parquet"):
        table = pyarrow.parquet.read_table(file).to_pylist()
        ids = [tokenizer.encode(row["text"], add_special_tokens=False).ids for row in table]
        assert [len(one) for one in ids] == [row["token_length"] for row in table], "token_length"
        assert all(end not in one for one in ids)
        expected.append([one + [end] for one in ids])
        tables.append(table)
    tokens = sum(len(one) for shard in expected for one in shard)
    assert tokens == content["tokens"] + content["rows"], (tokens, content["tokens"], content["rows"])

    nanogpt(shards(directory, content, "nanogpt/", ".bin"), expected)
    megatron(shards(directory, content, "megatron/", ".idx"), expected)
    datatrove(shards(directory, content, "datatrove/", ".ds"), expected)
    messages(shards(directory, content, "messages/", ".jsonl.zst"), tables)
    print(json.dumps({"tokens": tokens, "rows": content["rows"], "shards": len(expected)}))


def nanogpt(files: list, expected: list) -> None:
    """As train.py of nanoGPT maps its data; its shards in a row are one file."""
    for (file, entry), shard in zip(files, expected, strict=True):
        data = numpy.memmap(file, dtype=numpy.uint16, mode="r")
        assert data.tolist() == [one for ids in shard for one in ids], file
        assert entry["tokens"] == len(data), entry


def megatron(files: list, expected: list) -> None:
    """As the index reader of Megatron-LM goes through an index, and its sequences through the ids."""
    kinds = {4: numpy.int32, 8: numpy.uint16}
    for (file, _), shard in zip(files, expected, strict=True):
        with open(file, "rb") as stream:
            assert stream.read(9) == b"MMIDIDX\x00\x00"
            assert struct.unpack("<Q", stream.read(8)) == (1,)
            (code,) = struct.unpack("<B", stream.read(1))
            (sequences,) = struct.unpack("<Q", stream.read(8))
            (documents,) = struct.unpack("<Q", stream.read(8))
            offset = stream.tell()
        buffer = memoryview(numpy.memmap(file, mode="r", order="C"))
        lengths = numpy.frombuffer(buffer, dtype=numpy.int32, count=sequences, offset=offset)
        offset += lengths.nbytes
        pointers = numpy.frombuffer(buffer, dtype=numpy.int64, count=sequences, offset=offset)
        offset += pointers.nbytes
        indices = numpy.frombuffer(buffer, dtype=numpy.int64, count=documents, offset=offset)
        assert offset + indices.nbytes == len(buffer)
        assert indices.tolist() == list(range(len(shard) + 1))
        data = numpy.memmap(file.with_suffix(".bin"), mode="r", order="C")
        for ids, pointer, length in zip(shard, pointers, lengths, strict=True):
            read = numpy.frombuffer(data, dtype=kinds[code], count=length, offset=pointer)
            assert read.tolist() == ids, file


def datatrove(files: list, expected: list) -> None:
    for (file, entry), shard in zip(files, expected, strict=True):
        ends = numpy.fromfile(str(file) + ".index", dtype="<u8").tolist()
        data = numpy.fromfile(file, dtype=numpy.uint16).tolist()
        starts = [0, *ends[:-1]]
        assert [data[start:end] for start, end in zip(starts, ends)] == shard, file
        name, tokens, _ = pathlib.Path(str(file) + ".metadata").read_text().split("\n")
        assert name.rsplit("|", 1)[1] == "2" and int(tokens) == len(data) == entry["tokens"]
        try:
            from datatrove.io import get_datafolder
            from datatrove.pipeline.tokens.merger import get_data_reader, load_doc_ends
        except ImportError:
            continue
        folder = get_datafolder(str(file.parent))
        with folder.open(file.name + ".index", "rb") as index:
            theirs = load_doc_ends(index)
        assert theirs.tolist() == ends
        with folder.open(file.name, "rb") as stream:
            documents = [numpy.frombuffer(one, numpy.uint16).tolist() for one in get_data_reader(stream, theirs, nb_bytes=2)]
        assert documents == shard, file


def messages(files: list, tables: list) -> None:
    import polars

    for (file, _), table in zip(files, tables, strict=True):
        lines = polars.read_ndjson(file).to_dicts()
        for line, row in zip(lines, table, strict=True):
            assert [message["role"] for message in line["messages"]] == ["user", "assistant"]
            assert [message["content"] for message in line["messages"]] == [row["prompt"], row["text"]]
            assert (line["id"], line["seed_data"]) == (row["id"], row["seed_data"])


if __name__ == "__main__":
    {"train": train, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
