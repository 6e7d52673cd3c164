"""The usual clients of the Hub against a running service, each as its own documentation uses it.

Usage: hub_client.py SCENARIO... with {"endpoint", "repo", "out", "token"?} on standard input, and HF_HOME in the
environment. The name "proxy" among the scenarios puts a proxy between, which later ones tell to misbehave.
Prints {SCENARIO: findings}.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

GIVEN = json.load(sys.stdin)
REPO, OUT = GIVEN["repo"], pathlib.Path(GIVEN["out"])
PROXY = None
if "proxy" in sys.argv:
    import hub_proxy

    PROXY = hub_proxy.Proxy(GIVEN["endpoint"])
# Read once, when the clients are imported.
ENDPOINT = os.environ["HF_ENDPOINT"] = PROXY.url if PROXY else GIVEN["endpoint"]
if GIVEN.get("token"):
    os.environ["HF_TOKEN"] = GIVEN["token"]
# A chunk is what a cut body loses; the whole corpus would be one.
SMALL_CHUNK_BYTES = 1024


def digest(texts) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def files(root: pathlib.Path) -> dict:
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and ".cache" not in path.parts)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def parquet_paths() -> list[str]:
    import huggingface_hub

    listed = huggingface_hub.HfApi().list_repo_files(REPO, repo_type="dataset")
    return sorted(path for path in listed if path.endswith(".parquet") and "/train-" in path)


def parquet_urls() -> list[str]:
    return [f"{ENDPOINT}/datasets/{REPO}/resolve/main/{path}" for path in parquet_paths()]


def versions() -> dict:
    import importlib.metadata

    names = ["datasets", "huggingface_hub", "polars", "pandas", "pyarrow", "fsspec"]
    return {name: importlib.metadata.version(name) for name in names}


def load(**options) -> dict:
    import datasets

    loaded = datasets.load_dataset(REPO, **options)
    train = loaded["train"]
    return {"rows": {name: split.num_rows for name, split in loaded.items()}, "columns": train.column_names,
            "digest": digest(train["text"])}


def pinned() -> dict:
    import huggingface_hub

    commit = huggingface_hub.HfApi().dataset_info(REPO).sha
    return {"commit": commit, **load(revision=commit, download_mode="force_redownload")}


def streaming() -> dict:
    import datasets

    texts = [row["text"] for row in datasets.load_dataset(REPO, split="train", streaming=True)]
    return {"rows": {"train": len(texts)}, "digest": digest(texts)}


def snapshot(name: str = "snapshot") -> dict:
    import huggingface_hub

    root = huggingface_hub.snapshot_download(REPO, repo_type="dataset", cache_dir=OUT / name)
    return {"files": files(pathlib.Path(root))}


def hf(*arguments) -> subprocess.CompletedProcess:
    program = pathlib.Path(sys.executable).with_name("hf")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)


def cli() -> dict:
    done = hf("download", REPO, "--repo-type", "dataset", "--local-dir", str(OUT / "cli"))
    return {"code": done.returncode, "said": done.stdout + done.stderr, "files": files(OUT / "cli")}


def polars() -> dict:
    import polars as pl

    urls = parquet_urls()
    texts = [text for url in urls for text in pl.read_parquet(url)["text"].to_list()]
    lazily = sum(pl.scan_parquet(url).select(pl.len()).collect().item() for url in urls)
    return {"rows": {"train": len(texts)}, "lazily": lazily, "digest": digest(texts)}


def pandas() -> dict:
    import pandas as pd

    texts = [text for url in parquet_urls() for text in pd.read_parquet(url)["text"]]
    return {"rows": {"train": len(texts)}, "digest": digest(texts)}


def pandas_hf() -> dict:
    import pandas as pd

    names = [f"hf://datasets/{REPO}/{path}" for path in parquet_paths()]
    texts = [text for name in names for text in pd.read_parquet(name)["text"]]
    return {"rows": {"train": len(texts)}, "digest": digest(texts)}


def cut_once(what) -> dict:
    """The first body of a shard ends early; a client that gives up then is asked a second time."""
    PROXY.forget()
    PROXY.cut(".parquet", 3000)
    calls, failed = 1, None
    try:
        found = what()
    except Exception as error:
        calls, failed = 2, type(error).__name__
        found = what()
    shards = [note for note in PROXY.seen if note["method"] == "GET" and note["path"].endswith(".parquet")]
    return {**found, "calls": calls, "failed": failed, "ranges": [note["range"] for note in shards],
            "cut": [note["cut"] for note in shards if "cut" in note]}


def resumed() -> dict:
    """A download goes on where it was cut."""
    import huggingface_hub
    from huggingface_hub import constants

    constants.DOWNLOAD_CHUNK_SIZE = SMALL_CHUNK_BYTES
    path = parquet_paths()[0]

    def download() -> dict:
        got = huggingface_hub.hf_hub_download(REPO, path, repo_type="dataset", cache_dir=OUT / "resumed")
        return {"path": path, "sha256": hashlib.sha256(pathlib.Path(got).read_bytes()).hexdigest()}

    return cut_once(download)


def cut_load() -> dict:
    return cut_once(lambda: load(cache_dir=str(OUT / "cut_load"), download_mode="force_redownload"))


def cut_streaming() -> dict:
    import datasets

    # Five seconds between two tries are for the internet.
    datasets.config.STREAMING_READ_RETRY_INTERVAL = 0
    return cut_once(streaming)


def told_to_wait(what) -> dict:
    """Two requests are refused, each with a second's wait."""
    PROXY.forget()
    PROXY.busy(".parquet", 1, 2)
    begun = time.monotonic()
    try:
        found = what()
    except Exception as error:
        found = {"error": type(error).__name__, "message": str(error)}
    refused = [note for note in PROXY.seen if note.get("status") == 429]
    return {**found, "refused": len(refused), "waited_seconds": round(time.monotonic() - begun, 1)}


def busy_snapshot() -> dict:
    return told_to_wait(lambda: snapshot("busy"))


def busy_load() -> dict:
    return told_to_wait(lambda: load(cache_dir=str(OUT / "busy_load"), download_mode="force_redownload"))


def busy_streaming() -> dict:
    return told_to_wait(streaming)


def fails(what) -> dict:
    try:
        return {"error": None, "found": what()}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def load_fails() -> dict:
    return fails(load)


def snapshot_fails() -> dict:
    return fails(snapshot)


def pages() -> dict:
    """A tree in pages of one entry, as the client follows them."""
    import huggingface_hub
    from huggingface_hub.utils import build_hf_headers

    try:
        from huggingface_hub.utils import paginate
    except ImportError:
        from huggingface_hub.utils._pagination import paginate
    tree = f"{ENDPOINT}/api/datasets/{REPO}/tree/main"
    parameters = {"recursive": True, "expand": False, "limit": 1}
    entries = paginate(path=tree, params=parameters, headers=build_hf_headers())
    listed = huggingface_hub.HfApi().list_repo_tree(REPO, repo_type="dataset", recursive=True, expand=True)
    listed = list(listed)
    return {"one_by_one": [entry["path"] for entry in entries], "at_once": [entry.path for entry in listed],
            "commit": listed[0].last_commit.oid if hasattr(listed[0].last_commit, "oid") else listed[0].last_commit["oid"]}


def main() -> None:
    findings = {}
    for name in sys.argv[1:]:
        if name == "proxy":
            continue
        begun = time.monotonic()
        findings[name] = globals()[name]()
        findings[name]["seconds"] = round(time.monotonic() - begun, 2)
    print(json.dumps(findings))


if __name__ == "__main__":
    main()
