"""A stand-in for the Hub that repositories can be pushed to; it speaks as huggingface_hub expects.

Usage: hub_stand_in.py [--part-bytes N]; says `listening on URL`. The one good token is `hf_stand_in`. Files over N bytes are taken
in parts. GET /_state tells what there is and what was asked; POST /_faults {"put": [STATUS...], "cut_put": N} makes the next
uploads fail, or cuts the connection in the N-th upload.
"""

import base64
import hashlib
import http.server
import json
import sys
import threading
import urllib.parse

TOKEN = "hf_stand_in"
LARGE = (".parquet", ".zst", ".bin")
INLINE_BYTES = 10 * 1024 * 1024
PART_BYTES = int(sys.argv[sys.argv.index("--part-bytes") + 1]) if "--part-bytes" in sys.argv else 1 << 30

LOCK = threading.RLock()
REPOS: dict[str, dict] = {}
OBJECTS: dict[str, bytes] = {}
PARTS: dict[str, dict[int, bytes]] = {}
ASKED: list[dict] = []
FAULTS: dict = {"put": [], "cut_put": 0}


class Refusal(Exception):
    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.code = status, code


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict:
    if is_large(path, len(content)):
        sha256 = hashlib.sha256(content).hexdigest()
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (sha256.encode(), len(content))
        lfs = {"oid": sha256, "size": len(content), "pointerSize": len(pointer)}
        return {"type": "file", "path": path, "size": len(content), "oid": git_oid(pointer), "lfs": lfs}
    return {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}


def tree(files: dict, below: str, recursive: bool) -> list[dict]:
    inner = [path.removeprefix(below) for path in sorted(files) if path.startswith(below)]
    if not inner:
        raise Refusal(404, f"{below} does not exist", "EntryNotFound")
    found = [entry(below + path, files[below + path]) for path in inner if recursive or "/" not in path]
    parents = {path[:at] for path in inner for at, c in enumerate(path) if c == "/"}
    directories = sorted(path for path in parents if recursive or "/" not in path)
    return found + [{"type": "directory", "path": below + path, "size": 0, "oid": git_oid(path.encode())} for path in directories]


def is_large(path: str, size: int) -> bool:
    return path.endswith(LARGE) or size > INLINE_BYTES


def commit(repo: dict, branch: str, files: dict, message: str) -> str:
    lines = "".join(f"{path}\0{git_oid(content)}\n" for path, content in sorted(files.items()))
    parent = repo["branches"].get(branch)
    oid = hashlib.sha1(f"{parent}\n{message}\n{lines}".encode()).hexdigest()
    repo["commits"][oid] = {"files": files, "message": message, "parent": parent}
    repo["branches"][branch] = oid
    return oid


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def reply(self, status: int, value=None, headers=(), content: bytes | None = None):
        content = json.dumps(value).encode() if content is None else content
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle_one_way(self):
        address = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(address.query)
        path = [urllib.parse.unquote(part) for part in address.path.strip("/").split("/")]
        authorization = self.headers.get("authorization")
        with LOCK:
            if not path[0].startswith("_"):
                ASKED.append({"method": self.command, "path": address.path, "token": authorization is not None,
                              "bytes": int(self.headers.get("content-length") or 0)})
        try:
            if path[0] == "_state":
                return self.state()
            if path[0] == "_faults":
                with LOCK:
                    FAULTS.update(json.loads(self.body()))
                return self.reply(200, {})
            if self.command == "PUT":
                return self.put(path)
            if path[0] == "complete":
                return self.complete(path[1])
            content = self.body()
            if authorization != f"Bearer {TOKEN}":
                raise Refusal(401, "Invalid username or password.", "RepoNotFound")
            with LOCK:
                self.route(path, content)
        except Refusal as refusal:
            headers = [("x-error-message", str(refusal))]
            if refusal.code:
                headers.append(("x-error-code", refusal.code))
            self.reply(refusal.status, {"error": str(refusal)}, headers)

    do_GET = do_HEAD = do_POST = do_PUT = handle_one_way

    def route(self, path: list[str], content: bytes):
        match self.command, path:
            case "POST", ["api", "repos", "create"]:
                self.create(json.loads(content))
            case "POST", ["api", "validate-yaml"]:
                self.reply(200, {"errors": [], "warnings": []})
            case _, ["api", "datasets", owner, name, *rest]:
                self.api(self.repo(owner, name), f"{owner}/{name}", rest, content)
            case "POST", ["datasets", owner, git, "info", "lfs", "objects", "batch"]:
                self.repo(owner, git.removesuffix(".git"))
                self.batch(json.loads(content))
            case "GET" | "HEAD", ["datasets", owner, name, "resolve", revision, *file]:
                self.resolve(self.repo(owner, name), revision, "/".join(file))
            case "POST", ["verify", oid]:
                asked = json.loads(content)
                if asked["oid"] != oid or len(OBJECTS.get(oid, b"")) != asked["size"]:
                    raise Refusal(422, "not what was uploaded")
                self.reply(200, {})
            case _:
                raise Refusal(404, f"no such page {self.command} {self.path}")

    def repo(self, owner: str, name: str) -> dict:
        if f"{owner}/{name}" not in REPOS:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return REPOS[f"{owner}/{name}"]

    def create(self, asked: dict):
        assert asked["type"] == "dataset", asked
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] == "forbidden":
            raise Refusal(403, "You don't have the rights to create a dataset under this namespace")
        if name in REPOS:
            there = {"error": "You already created this dataset repo", "url": f"{self.base()}/datasets/{name}"}
            return self.reply(409, there)
        private = asked.get("private") is True or asked.get("visibility") == "private"
        REPOS[name] = {"private": private, "branches": {}, "commits": {}}
        commit(REPOS[name], "main", {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")
        self.reply(200, {"url": f"{self.base()}/datasets/{name}", "name": name})

    def base(self) -> str:
        return f"http://{self.headers['host']}"

    def files(self, repo: dict, revision: str) -> tuple[str, dict]:
        oid = repo["branches"].get(revision, revision)
        if oid not in repo["commits"]:
            raise Refusal(404, "Invalid rev id", "RevisionNotFound")
        return oid, repo["commits"][oid]["files"]

    def api(self, repo: dict, name: str, rest: list[str], content: bytes):
        match self.command, rest:
            case "GET", [] | ["revision", _]:
                oid, files = self.files(repo, rest[1] if rest else "main")
                siblings = [{"rfilename": path} for path in sorted(files)]
                self.reply(200, {"id": name, "sha": oid, "private": repo["private"], "tags": [], "siblings": siblings})
            case "POST", ["branch", branch]:
                if branch in repo["branches"]:
                    raise Refusal(409, "Reference already exists")
                repo["branches"][branch] = repo["branches"]["main"]
                self.reply(200, {})
            case "GET", ["tree", revision, *directory]:
                _, files = self.files(repo, revision)
                recursive = self.query.get("recursive", ["false"])[0].lower() == "true"
                self.reply(200, tree(files, "".join(f"{part}/" for part in directory), recursive))
            case "POST", ["paths-info", revision]:
                _, files = self.files(repo, revision)
                asked = urllib.parse.parse_qs(content.decode()).get("paths", [])
                self.reply(200, [entry(path, files[path]) for path in asked if path in files])
            case "POST", ["preupload", revision]:
                _, files = self.files(repo, revision)
                self.reply(200, {"files": [self.wanted(files, asked) for asked in json.loads(content)["files"]]})
            case "POST", ["commit", branch]:
                self.commit(repo, name, branch, [json.loads(line) for line in content.decode().splitlines()])
            case _:
                raise Refusal(404, f"no such page {self.command} {self.path}")

    def wanted(self, files: dict, asked: dict) -> dict:
        path = asked["path"]
        assert len(base64.b64decode(asked["sample"])) == min(asked["size"], 512), asked
        answer = {"path": path, "uploadMode": "lfs" if is_large(path, asked["size"]) else "regular", "shouldIgnore": False}
        if path in files:
            there = entry(path, files[path])
            answer["oid"] = there["lfs"]["oid"] if "lfs" in there else there["oid"]
        return answer

    def batch(self, asked: dict):
        assert asked["operation"] == "upload" and asked["hash_algo"] == "sha256", asked
        assert "basic" in asked["transfers"], asked
        objects = []
        for wanted in asked["objects"]:
            oid, size = wanted["oid"], wanted["size"]
            answer = {"oid": oid, "size": size}
            if oid not in OBJECTS:
                verify = {"href": f"{self.base()}/verify/{oid}"}
                if size <= PART_BYTES:
                    upload = {"href": f"{self.base()}/upload/{oid}/0"}
                else:
                    count = -(-size // PART_BYTES)
                    header = {str(n): f"{self.base()}/upload/{oid}/{n}" for n in range(1, count + 1)}
                    upload = {"href": f"{self.base()}/complete/{oid}", "header": {"chunk_size": str(PART_BYTES), **header}}
                answer["actions"] = {"upload": upload, "verify": verify}
            objects.append(answer)
        self.reply(200, {"transfer": "basic", "objects": objects})

    def put(self, path: list[str]):
        _, oid, part = path
        # Object stores know one way to be allowed at a time, and no body of unknown length.
        if self.headers.get("authorization") or "content-length" not in self.headers:
            self.close_connection = True
            raise Refusal(400, "Only one auth mechanism allowed, and a length")
        length = int(self.headers["content-length"])
        with LOCK:
            status = FAULTS["put"].pop(0) if FAULTS["put"] else None
            FAULTS["cut_put"] -= 1
            is_cut = FAULTS["cut_put"] == 0
        if is_cut:
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        content = self.rfile.read(length)
        if status and status >= 300:
            raise Refusal(status, "try again")
        with LOCK:
            if part == "0":
                if hashlib.sha256(content).hexdigest() != oid:
                    raise Refusal(400, "not the content of that hash")
                OBJECTS[oid] = content
            else:
                PARTS.setdefault(oid, {})[int(part)] = content
        self.reply(200, headers=[("etag", f'"{hashlib.md5(content).hexdigest()}"')], content=b"")

    def complete(self, oid: str):
        asked = json.loads(self.body())
        with LOCK:
            parts = PARTS.get(oid, {})
            tags = {n: f'"{hashlib.md5(content).hexdigest()}"' for n, content in parts.items()}
            if {part["partNumber"]: part["etag"] for part in asked["parts"]} != tags or asked["oid"] != oid:
                raise Refusal(400, "not the parts that were uploaded")
            content = b"".join(parts[n] for n in sorted(parts))
            if hashlib.sha256(content).hexdigest() != oid:
                raise Refusal(400, "not the content of that hash")
            OBJECTS[oid] = content
        self.reply(200, {})

    def commit(self, repo: dict, name: str, branch: str, lines: list[dict]):
        header = lines[0]
        assert header["key"] == "header" and header["value"]["summary"], lines[0]
        oid, files = self.files(repo, branch)
        if header["value"].get("parentCommit", oid) != oid:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(files)
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    assert value["encoding"] == "base64", value
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in OBJECTS:
                        raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                    files[value["path"]] = OBJECTS[value["oid"]]
                case "deletedFile":
                    if value["path"] not in files:
                        raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
                    del files[value["path"]]
                case _:
                    raise Refusal(400, f"no such operation {line['key']}")
        oid = commit(repo, branch, files, header["value"]["summary"])
        self.reply(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.base()}/datasets/{name}/commit/{oid}"})

    def resolve(self, repo: dict, revision: str, path: str):
        oid, files = self.files(repo, revision)
        if path not in files:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        there = entry(path, files[path])
        etag = there["lfs"]["oid"] if "lfs" in there else there["oid"]
        self.reply(200, headers=[("x-repo-commit", oid), ("etag", f'"{etag}"')], content=files[path])

    def state(self):
        with LOCK:
            repos = {}
            for name, repo in REPOS.items():
                branches = {}
                for branch, oid in repo["branches"].items():
                    there = repo["commits"][oid]
                    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in there["files"].items()}
                    branches[branch] = {"commit": oid, "message": there["message"], "files": hashes}
                repos[name] = {"private": repo["private"], "branches": branches, "commits": len(repo["commits"])}
            self.reply(200, {"repos": repos, "asked": ASKED, "objects": len(OBJECTS)})


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
