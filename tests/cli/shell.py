"""How tests call the command line and spoil policies: the words of conftest.py's fixtures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stands on stdout, which must be one JSON document."""
        return json.loads(self.out)


Mqk = Callable[..., Ended]


def line_of(file: Path, text: str) -> int:
    """The number of the one line of a file that has a text in it."""
    (number,) = [number for number, line in enumerate(file.read_text("utf-8").splitlines(), 1) if text in line]
    return number


def change(file: Path, old: str, new: str) -> None:
    """Replace a text that must be in a file, once."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file.name} has {text.count(old)} times: {old}"
    file.write_text(text.replace(old, new), "utf-8")
