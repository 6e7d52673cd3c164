"""Pushes a folder with huggingface_hub, as its documentation does, and reads the repository back.

Usage: hub_upload.py with {"endpoint", "repo", "folder", "out", "token", "private"} on standard input. Prints {"commit", "files"}.
"""

import hashlib
import json
import os
import pathlib
import sys

GIVEN = json.load(sys.stdin)
os.environ["HF_ENDPOINT"] = GIVEN["endpoint"]
os.environ["HF_TOKEN"] = GIVEN["token"]
# The Hub's other storage has a protocol of its own; pushes of ours use large-file storage.
os.environ["HF_HUB_DISABLE_XET"] = "1"


def main() -> None:
    import huggingface_hub

    api = huggingface_hub.HfApi()
    api.create_repo(GIVEN["repo"], repo_type="dataset", private=GIVEN["private"], exist_ok=True)
    uploaded = api.upload_folder(repo_id=GIVEN["repo"], repo_type="dataset", folder_path=GIVEN["folder"])
    root = huggingface_hub.snapshot_download(GIVEN["repo"], repo_type="dataset", cache_dir=GIVEN["out"])
    files = {}
    for path in sorted(pathlib.Path(root).rglob("*")):
        if path.is_file():
            files[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps({"commit": uploaded.oid, "files": files}))


if __name__ == "__main__":
    main()
