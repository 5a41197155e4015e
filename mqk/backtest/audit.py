"""The audit trail of a backtest: one line of JSON per thing that happened, each carrying the hash of the one before.

What lives here: writing the chain and checking it. What does not: which things are worth a line (recorder.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from mqk.quantity import format_instant

GENESIS: Final = "0" * 64
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

Told = Mapping[str, Any] | str


class AuditTrail:
    """A growing chain of lines. The same things in the same order always give the same bytes.

    A line is canonical JSON (RFC 8785) of `seq`, `at`, `kind`, `data`, `hash_prev` and `hash_self`; the last is the
    SHA-256 of the line without it. Nothing in a line is a number that JSON could round: amounts are text with units.
    """

    __slots__ = ("_at", "_lines", "_previous", "_waiting", "_written")

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        # What is still to be written out: it takes longer than to remember it, and the run need not wait for it.
        self._waiting: list[tuple[int, str, Callable[[Any], Told], Any]] = []
        self._previous = GENESIS
        self._at = -1
        self._written = ""

    def append(self, at: int, kind: str, data: Mapping[str, Any]) -> None:
        """Add a line for something that happened at an instant, in epoch micros. `kind` is a plain word."""
        self._waiting.append((at, kind, _itself, data))

    def keep(self, at: int, kind: str, tell: Callable[[Any], Told], thing: object) -> None:
        """Add a line whose data is what `tell` says of a thing that does not change, when the trail is asked for.

        It says it as a mapping, or as text that is canonical JSON already.
        """
        self._waiting.append((at, kind, tell, thing))

    def _write(self) -> None:
        lines = self._lines
        for at, kind, tell, thing in self._waiting:
            data = tell(thing)
            if at != self._at:
                self._at, self._written = at, format_instant(at)
            # The keys in canonical order, so that the data is encoded once for both the hash and the line.
            text = data if isinstance(data, str) else _ENCODER.encode(data)
            head = f'{{"at":"{self._written}","data":{text},"hash_prev":"{self._previous}"'
            tail = f'"kind":"{kind}","seq":{len(lines)}}}'
            self._previous = hashlib.sha256(f"{head},{tail}".encode()).hexdigest()
            lines.append(f'{head},"hash_self":"{self._previous}",{tail}\n'.encode())
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._lines) + len(self._waiting)

    def to_bytes(self) -> bytes:
        """The whole file."""
        self._write()
        return b"".join(self._lines)


def _itself(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data


def quoted_json(text: str) -> str:
    """A text as canonical JSON."""
    return _ENCODER.encode(text)


def canonical(value: object) -> bytes:
    """Canonical JSON of text, whole numbers, booleans, lists and mappings with plain ASCII keys.

    For these, sorted keys and no spaces are all that RFC 8785 asks for, and the standard library is fast at it.
    """
    return _ENCODER.encode(value).encode()


def verify_audit(content: bytes) -> str | None:
    """What is wrong with an audit file, at its first bad line; None when the chain holds from first to last."""
    previous = GENESIS
    lines = content.split(b"\n")
    if lines.pop() != b"":
        return f"line {len(lines) + 1}: the file ends in the middle of a line"
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            return f"line {number + 1}: not JSON"
        if not isinstance(record, dict) or record.get("seq") != number:
            return f"line {number + 1}: not number {number} of the chain"
        stated = record.pop("hash_self", None)
        if record.get("hash_prev") != previous:
            return f"line {number + 1}: does not follow the line before"
        if stated != hashlib.sha256(canonical(record)).hexdigest():
            return f"line {number + 1}: is not what was written"
        previous = stated
    return None
