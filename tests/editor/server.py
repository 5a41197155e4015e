"""A client of the language server that editors run: files opened, diagnostics, hovers and completions asked for.

What lives here: the protocol, as little of it as the tests need, and getting the server. What must hold is in the
tests.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_SERVER = HERE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
_STAMP = HERE / "node_modules" / ".installed"
SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "yamlVersion": "1.2",
        # Only the schemas that a file itself names; and nothing is fetched from anywhere.
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}


def install() -> None:
    """Install what the lock file names, unless it is there: the same files on every machine."""
    with (HERE / "package-lock.json").open("r", encoding="utf-8") as file:
        # Tests run side by side, and one of them installs.
        fcntl.flock(file, fcntl.LOCK_EX)
        lock = file.read()
        if _STAMP.is_file() and _STAMP.read_text("utf-8") == lock:
            return
        subprocess.run(["npm", "ci", "--loglevel=error"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        _STAMP.write_text(lock, "utf-8")


class Server:
    """A running language server with its messages."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._asked = 0
        self._version = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}

    def open(self, path: Path, text: str | None = None) -> str:
        """Open a file in the editor, perhaps with a text that was not saved; its address."""
        uri = path.as_uri()
        self._diagnostics.pop(uri, None)
        # The server keeps what it parsed by version, so each text that is opened is a new one.
        self._version += 1
        content = path.read_text("utf-8") if text is None else text
        item = {"uri": uri, "languageId": "yaml", "version": self._version, "text": content}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": item}})
        return uri

    def diagnostics(self, path: Path, text: str | None = None) -> list[dict[str, Any]]:
        """What the editor underlines in a file."""
        uri = self.open(path, text)
        while uri not in self._diagnostics:
            self._take(self._receive())
        self._send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
        return self._diagnostics.pop(uri)

    def hover(self, uri: str, line: int, character: int) -> str:
        """What the editor shows over a place (counted from 0)."""
        found = self.ask("textDocument/hover", _at(uri, line, character))
        return str(found["contents"]["value"]) if found else ""

    def completions(self, uri: str, line: int, character: int) -> dict[str, dict[str, Any]]:
        """What the editor offers at a place (counted from 0), by label."""
        found = self.ask("textDocument/completion", _at(uri, line, character))
        return {item["label"]: item for item in found["items"]}

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Ask, and wait for the answer."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._asked and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def begin(self) -> None:
        """Introduce the editor."""
        capabilities = {
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "hover": {"contentFormat": ["markdown"]},
            },
            "workspace": {"configuration": True},
        }
        root = ROOT.as_uri()
        self.ask("initialize", {"processId": os.getpid(), "rootUri": root, "capabilities": capabilities})
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": SETTINGS}})

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            items = message["params"].get("items", []) if message["method"] == "workspace/configuration" else []
            answer = [SETTINGS.get(item.get("section")) for item in items] or None
            self._send({"id": message["id"], "result": answer})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        size = 0
        while (line := self._process.stdout.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                size = int(value)
        assert size, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(size))
        return message


def _at(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


@contextmanager
def running() -> Iterator[Server]:
    """A server of one's own, with an editor that has introduced itself."""
    install()
    command = ["node", str(_SERVER), "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            server = Server(process)
            server.begin()
            yield server
        finally:
            process.kill()
