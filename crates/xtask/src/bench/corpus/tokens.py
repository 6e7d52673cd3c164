"""Texts, tokenizers and others' encoders for `cargo xtask bench corpus tokens`.

Usage: tokens.py prepare DIR MEGABYTES   texts of the installed Python's own library, and tokenizers trained on them
       tokens.py NAME DIR TOKENIZER      NAME is 'tokenizers' or 'tiktoken': encodes, prints what that took as JSON
"""

import hashlib
import json
import os
import pathlib
import resource
import sys

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

END = "<|endoftext|>"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def prepare(place: pathlib.Path, megabytes: float) -> None:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    library = pathlib.Path(os.__file__).parent
    texts, size = [], 0
    for file in sorted(library.rglob("*.py")):
        text = file.read_text(encoding="utf-8", errors="replace")
        # Documents of some kilobytes, as generated ones are.
        for start in range(0, len(text), 4_000):
            texts.append(text[start : start + 4_000])
            size += len(texts[-1].encode())
        if size >= megabytes * 1e6:
            break
    (place / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    bare = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ways = {
        "gpt2": byte_level,
        "digits": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level]),
        "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), bare]),
    }
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    for name, way in ways.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = way
        trainer = trainers.BpeTrainer(
            vocab_size=32_000,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.save(str(place / f"{name}.json"))
    print(json.dumps({"documents": len(texts), "bytes": size}))


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def by_tokenizers(path: pathlib.Path, texts: list):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    start = cpu_s()
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    took = cpu_s() - start
    return took, [one.ids for one in encodings]


def by_tiktoken(path: pathlib.Path, texts: list):
    import tiktoken

    shape = json.loads(path.read_text())
    pattern = LLAMA3 if path.stem == "llama3" else GPT2
    characters = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    spelling = {chr(byte): byte for byte in characters}
    rest = [byte for byte in range(256) if byte not in characters]
    spelling |= {chr(256 + number): byte for number, byte in enumerate(rest)}
    ranks = {
        bytes(spelling[character] for character in token): rank
        for token, rank in shape["model"]["vocab"].items()
        if token != END
    }
    encoding = tiktoken.Encoding("bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={END: 0})
    start = cpu_s()
    ids = [encoding.encode_ordinary(text) for text in texts]
    return cpu_s() - start, ids


def main() -> None:
    name, place = sys.argv[1], pathlib.Path(sys.argv[2])
    if name == "prepare":
        return prepare(place, float(sys.argv[3]))
    texts = [json.loads(line) for line in (place / "texts.jsonl").read_text().splitlines()]
    encode = {"tokenizers": by_tokenizers, "tiktoken": by_tiktoken}[name]
    took, ids = encode(place / f"{sys.argv[3]}.json", texts)
    digest = hashlib.sha256()
    for one in ids:
        digest.update(b"".join(id.to_bytes(4, "little") for id in one))
    tokens = sum(map(len, ids))
    print(json.dumps({"tokens": tokens, "cpu_s": took, "sha256": digest.hexdigest()}))


main()
