"""What a strategy reaches for while it is asked: files, sockets, programs. Its contract gives it none of them.

What lives here: noticing, and refusing while a proof wants it refused. What does not: judging by it (prover.py).
Code is not data: modules may be imported, and the tables of time zones read. What is opened from within C libraries,
past Python's audit events, is not noticed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_CODE: Final = (".py", ".pyc", ".pyo", ".so", ".pyd", ".dll")
_OUTSIDE: Final = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.system", "os.exec"}
    | {"os.posix_spawn", "os.spawn", "os.startfile", "sqlite3.connect", "urllib.Request", "os.listdir", "os.scandir"}
)

# What looking for a module does in every folder that may have it.
_LISTING: Final = frozenset({"os.listdir", "os.scandir"})
_INSTALLED: Final = tuple({os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)})


class Watch:
    """Notices what is reached for while `asking`; refuses it with PermissionError while `refuses`.

    The interpreter keeps its hook for ever, so there is one for each process that proves.
    """

    def __init__(self) -> None:
        self.refuses = False
        self.noticed: list[str] = []
        self._asking = False
        sys.addaudithook(self._hook)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a strategy's own code runs."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._asking:
            return
        if event == "open":
            path, mode, flags = args
            if not _reads(path, mode, flags) or (_installed(path) and _importing()):
                return
            told = f"reads `{os.fsdecode(path)}`"
        elif event in _OUTSIDE:
            if event in _LISTING and _importing():
                return
            told = f"calls `{event}`"
        else:
            return
        self.noticed.append(told)
        if self.refuses:
            raise PermissionError(told)


def _importing() -> bool:
    """Whether a module is being imported right now."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way to ask
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _installed(path: object) -> bool:
    """Whether a file belongs to Python or to a package installed beside it."""
    return isinstance(path, str | bytes | os.PathLike) and os.path.realpath(os.fsdecode(path)).startswith(_INSTALLED)


def _reads(path: object, mode: object, flags: object) -> bool:
    """Whether opening this gets at data: for reading, and neither code nor a table of time zones."""
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    name = os.fsdecode(path)
    if name.endswith(_CODE) or "zoneinfo" in name or "tzdata" in name:
        return False
    if isinstance(mode, str):
        return "r" in mode or "+" in mode
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) != os.O_WRONLY
