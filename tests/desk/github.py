"""The part of GitHub's API that comments live in, on the loopback interface."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class GitHub:
    """One repository's comments, in the order written, and every call that was made."""

    url: str = ""
    refuse: int | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def answer(self, method: str, path: str, body: dict[str, str] | None) -> tuple[int, Any]:
        """What the API says."""
        self.calls.append((method, path))
        listed = re.fullmatch(r"/repos/desk/policies/issues/7/comments\?per_page=(\d+)&page=(\d+)", path)
        one = re.fullmatch(r"/repos/desk/policies/issues/comments/(\d+)", path)
        if self.refuse is not None and method != "GET":
            return self.refuse, {"message": "Resource not accessible by integration"}
        if method == "GET" and listed:
            size, page = int(listed[1]), int(listed[2])
            return 200, self.comments[size * (page - 1) : size * page]
        if method == "POST" and path == "/repos/desk/policies/issues/7/comments" and body is not None:
            self.comments.append({"id": 100 + len(self.comments), "body": body["body"]})
            return 201, self.comments[-1]
        if method == "PATCH" and one and body is not None:
            (comment,) = [each for each in self.comments if each["id"] == int(one[1])]
            comment["body"] = body["body"]
            return 200, comment
        return 404, {"message": "Not Found"}


@contextmanager
def github() -> Iterator[GitHub]:
    """The API, until this ends."""
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.tokens.add(self.headers.get("Authorization"))
            status, content = state.answer(self.command, self.path, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
