"""Facts documents as files: JSON or strict YAML, read into names and values as written.

What the names and values mean at a guard point is mqk.guards; a value that is no fact is handed on as it is, so that
the rules which need it say so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mqk.cli.exits import Failure
from mqk.policy import Mapping, Node, PolicyError, Scalar
from mqk.policy.loader import load_bytes

STDIN: Final = "-"
_SHAPE_HELP: Final = 'write one mapping, such as {"order.side": "BUY", "order.qty": 250}'
# What the loader says of a text that is no mapping is about policies.
_NO_MAPPING: Final = ("MQK-1012", "MQK-1013")


def read_document(source: str) -> dict[str, object]:
    """The names and values in a file, or on stdin (`-`).

    Raises Failure when it cannot be read or is no mapping, PolicyError with places for YAML that is refused.
    """
    name = "stdin" if source == STDIN else source
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as fault:
        raise Failure(
            f"the facts in `{name}` cannot be read: {(fault.strerror or 'unknown reason').lower()}"
        ) from fault
    return _json(data, name) if data.lstrip()[:1] in (b"{", b"[") else _yaml(data, name)


def _json(data: bytes, name: str) -> dict[str, object]:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise Failure(f"the facts in `{name}` name `{twice}` twice", "keep one of them")
        return found

    try:
        # Whole numbers stay as written: how many digits a fact may have is for its type to say.
        document = json.loads(data, object_pairs_hook=unique, parse_int=str)
    except json.JSONDecodeError as fault:
        message = f"the facts in `{name}` are not JSON: {fault.msg.lower()} (line {fault.lineno}, column {fault.colno})"
        raise Failure(message) from fault
    except UnicodeDecodeError as fault:
        raise Failure(f"the facts in `{name}` are not UTF-8", "save the file as UTF-8") from fault
    except RecursionError as fault:
        raise Failure(f"the facts in `{name}` are nested too deep", _SHAPE_HELP) from fault
    if not isinstance(document, dict):
        raise Failure(f"the facts in `{name}` are not a mapping of names to values", _SHAPE_HELP)
    return document


def _yaml(data: bytes, name: str) -> dict[str, object]:
    loaded = load_bytes(data, name)
    refused = [each for each in loaded.diagnostics if each.code not in _NO_MAPPING]
    if refused:
        raise PolicyError(refused)
    if loaded.root is None:
        raise Failure(f"the facts in `{name}` are not a mapping of names to values", _SHAPE_HELP)
    return {key: _written(entry.value) for key, entry in loaded.root.entries.items()}


def _written(node: Node) -> object:
    match node:
        case Scalar():
            return None if node.empty else node.text
        case Mapping(entries=entries):
            return {key: _written(entry.value) for key, entry in entries.items()}
        case _:
            return [_written(item) for item in node.items]
