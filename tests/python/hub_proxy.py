"""A way to a service that cuts bodies short or is busy, as told."""

import http.client
import http.server
import threading
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "server", "date"}


class Proxy:
    """Forwards requests to `target`; ends with the process."""

    def __init__(self, target: str):
        self.target = urllib.parse.urlsplit(target)
        self.lock = threading.Lock()
        self.faults: list[dict] = []
        self.seen: list[dict] = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_way(self):
                proxy.forward(self)

            do_GET = do_HEAD = do_POST = handle_one_way

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def cut(self, path_part: str, after_bytes: int, times: int = 1):
        """The next bodies of such paths end after so many bytes."""
        self.faults.append({"part": path_part, "cut": after_bytes, "times": times})

    def busy(self, path_part: str, retry_after_seconds: int, times: int):
        """The next GETs of such paths are refused as the service refuses them."""
        self.faults.append({"part": path_part, "busy": retry_after_seconds, "times": times})

    def forget(self):
        """No more faults, nothing seen."""
        with self.lock:
            self.faults, self.seen = [], []

    def take(self, kind: str, path: str) -> dict | None:
        with self.lock:
            for fault in self.faults:
                if kind in fault and fault["times"] > 0 and fault["part"] in path:
                    fault["times"] -= 1
                    return fault
        return None

    def forward(self, handler: http.server.BaseHTTPRequestHandler):
        method, path = handler.command, handler.path
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        note = {"method": method, "path": path, "range": handler.headers.get("range")}
        with self.lock:
            self.seen.append(note)
        fault = self.take("busy", path) if method == "GET" else None
        if fault:
            note["status"] = 429
            handler.send_response(429)
            handler.send_header("retry-after", str(fault["busy"]))
            handler.send_header("ratelimit", f'"key";r=0;t={fault["busy"]}')
            handler.send_header("x-error-message", "the service is busy")
            handler.send_header("content-length", "0")
            handler.end_headers()
            return
        upstream = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=60)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in HOP_BY_HOP}
        upstream.request(method, path, body=body or None, headers=headers)
        response = upstream.getresponse()
        content = response.read()
        note["status"] = response.status
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                handler.send_header(name, value)
        if response.getheader("content-length") is None:
            handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        if method == "HEAD":
            return
        # An error is small; only what would have arrived whole can be cut.
        fault = self.take("cut", path) if response.status < 300 else None
        if fault and fault["cut"] < len(content):
            note["cut"] = fault["cut"]
            handler.wfile.write(content[: fault["cut"]])
            handler.wfile.flush()
            handler.close_connection = True
            return
        handler.wfile.write(content)
