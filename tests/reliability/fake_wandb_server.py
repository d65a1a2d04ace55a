"""As much of W&B's server as a run needs to begin, on this machine; later it may stop to answer."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROJECT = {"id": "UA", "name": "qtrl", "entity": {"id": "RQ", "name": "me"}}
BUCKET = {
    "id": "Ug",
    "name": "a-run",
    "displayName": "a run",
    "config": "{}",
    "historyLineCount": 0,
    "project": PROJECT,
}
ANSWERS = {
    "RunResumeStatus": {"model": {"name": "qtrl", "bucket": None}},
    "UpsertBucket": {"upsertBucket": {"bucket": BUCKET, "inserted": True}},
    "CreateRunFiles": {"createRunFiles": {"runID": "Ug", "uploadHeaders": [], "files": []}},
}


class FakeServer(ThreadingHTTPServer):
    """Answers on a port of its own, used as a context manager.

    Args:
        stalls: Whether it accepts connections and never answers, from the start.
        stalls_later: Whether it does so once a run has begun.
    """

    daemon_threads, block_on_close = True, False

    def __init__(self, *, stalls: bool = False, stalls_later: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stalls, self._later, self._over = stalls, stalls_later, threading.Event()
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait_if_stalling(self) -> None:
        """Hold a request until the server ends."""
        if self.stalls:
            self._over.wait()
        self.stalls |= self._later and "UpsertBucket" in self.asked

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.shutdown()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    """Answers what is in `ANSWERS`, and {} to everything else."""

    server: FakeServer

    def do_POST(self) -> None:
        """Answer any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer: dict = {}
        if self.path == "/graphql":
            name = re.search(r"(?:query|mutation)\s+(\w+)", json.loads(body)["query"])
            self.server.asked.append(name[1] if name else "")
            answer = {"data": ANSWERS.get(self.server.asked[-1], {})}
        else:
            self.server.asked.append(self.path)
        self.server.wait_if_stalling()
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Say nothing."""
