"""Policy bundle files: a whole set of policies as one file that moves between machines, its bytes decided by content.

What lives here: the format, writing and reading it. What does not: keys and signatures themselves (signing.py), and
what a set of policies means. A file of the format is canonical JSON (RFC 8785) and one line break:

    {"payload": {"engines": {ID: [{"sha256", "since"}]}, "files": {path: text}, "format": 1, "revision": N},
     "sha256": hash of the payload, "signatures": [{"key", "signature"}]}
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import rfc8785

from mqk.policy.diagnostics import PolicyError, Span, error, quoted, shown_path
from mqk.policy.documents import SUFFIXES, PolicySet, load_policies, policy_files
from mqk.policy.signing import Signature, configured, sign, verify
from mqk.policy.source import MAX_BYTES
from mqk.policy.timeline import Spell, timeline
from mqk.quantity import QuantityError, format_date, parse_date

FORMAT: Final = 1
LARGEST: Final = 64 * 1_048_576  # bytes of a bundle file
MOST_FILES: Final = 10_000
MOST_SIGNATURES: Final = 16
HIGHEST: Final = 2**53 - 1  # a revision that every reader of JSON reads alike


@dataclass(frozen=True)
class Packed:
    """A set of policies as packed: texts by path, and every engine's bundle hashes with the days they begin on."""

    revision: int
    files: Mapping[str, str]
    engines: Mapping[str, tuple[Spell, ...]]
    signatures: tuple[Signature, ...] = ()

    @cached_property
    def payload(self) -> bytes:
        """What is hashed and signed."""
        return rfc8785.dumps(
            {
                "format": FORMAT,
                "revision": self.revision,
                "files": dict(self.files),
                "engines": {
                    name: [{"since": format_date(each.since), "sha256": each.sha256} for each in spells]
                    for name, spells in self.engines.items()
                },
            }
        )

    @cached_property
    def sha256(self) -> str:
        """The hash of the whole, revision included."""
        return hashlib.sha256(self.payload).hexdigest()

    @cached_property
    def content(self) -> bytes:
        """The file: the same bytes for the same content, wherever it is packed."""
        signatures = [{"key": each.key, "signature": each.signature} for each in self.signatures]
        return (
            rfc8785.dumps({"payload": json.loads(self.payload), "sha256": self.sha256, "signatures": signatures})
            + b"\n"
        )

    def signed(self, private: Path) -> Packed:
        """With a signature more, in the order of the keys; one by the same key takes the earlier one's place."""
        made = sign(self.payload, private)
        kept = [each for each in self.signatures if each.key != made.key]
        return replace(self, signatures=tuple(sorted((*kept, made), key=lambda each: each.key)))


def pack(folder: Path, revision: int) -> Packed:
    """The policies below a folder as one bundle. Raises PolicyError with everything that is wrong with them."""
    shown = shown_path(folder)
    if not folder.is_dir():
        raise PolicyError([error("MQK-1570", "a bundle is packed from a folder of policies", Span.nowhere(shown))])
    if not 1 <= revision <= HIGHEST:
        message = f"a revision is a number from 1 on, not {revision}"
        raise PolicyError([error("MQK-1570", message, Span.nowhere("revision"), "count up from the last one")])
    policies = load_policies([folder])
    if policies.errors:
        raise PolicyError(policies.errors)
    files = {
        each.relative_to(folder).as_posix(): each.read_bytes().decode("utf-8") for each in policy_files([folder], [])
    }
    engines = {name: timeline(policies, name) for name in policies.ids("engine")}
    packed = Packed(revision, dict(sorted(files.items())), engines)
    # What this mqk would not take from others it does not hand out either.
    return unpack(packed.content, shown)


def unpack(data: bytes, file: str) -> Packed:
    """A bundle from the bytes of a file, which messages call `file`. Raises PolicyError unless all of it is sound.

    Signatures are read and not judged: that is `verify_packed`.
    """
    reader = _Reader(file)
    document = reader.document(data)
    whole = reader.mapping(document, "the file", {"payload", "sha256", "signatures"})
    payload = reader.mapping(whole["payload"], "`payload`", {"engines", "files", "format", "revision"})
    if payload["format"] != FORMAT or isinstance(payload["format"], bool):
        raise reader.fault(f"it is of format {quoted(str(payload['format']))}, and this mqk reads {FORMAT}")
    revision = payload["revision"]
    if not isinstance(revision, int) or isinstance(revision, bool) or not 1 <= revision <= HIGHEST:
        raise reader.fault(f"its revision is {quoted(str(revision))}, and one is a number from 1 on")
    packed = Packed(revision, reader.files(payload["files"]), reader.engines(payload["engines"]))
    if whole["sha256"] != packed.sha256:
        message = f"its content has the hash {packed.sha256[:16]}…, and it says {quoted(str(whole['sha256']))}"
        raise PolicyError([error("MQK-1571", message, reader.span, "it was changed on the way: get it anew")])
    packed = replace(packed, signatures=reader.signatures(whole["signatures"]))
    if packed.content != data:
        raise reader.fault("it is not written as bundle files are")
    return packed


def read_packed(path: Path) -> Packed:
    """A bundle from a file. Raises PolicyError as `unpack` does, OSError when there is none to read."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    return unpack(data, shown_path(path))


def stored(payload: str, signatures: Sequence[Mapping[str, str]], what: str) -> Packed:
    """A bundle from its payload and its signatures, kept apart; messages call it `what`. Raises PolicyError."""
    whole = {"payload": json.loads(payload), "sha256": hashlib.sha256(payload.encode()).hexdigest()}
    return unpack(rfc8785.dumps({**whole, "signatures": [dict(each) for each in signatures]}) + b"\n", what)


def write_packed(packed: Packed, path: Path) -> None:
    """Write a bundle file, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    half = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(packed.content)
            stream.flush()
            os.fsync(stream.fileno())
        half.chmod(0o644)
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def verify_packed(packed: Packed, file: str, keys: Path | None = None) -> None:
    """Make sure that whoever is configured to be trusted has signed a bundle; see `signing.verify`."""
    verify(packed.payload, packed.signatures, configured(keys), file)


@contextmanager
def laid_out(packed: Packed) -> Iterator[Path]:
    """The files of a bundle in a temporary folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mqk-bundle-") as name:
        folder = Path(name) / "policies"
        for path, text in packed.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8"))
        yield folder


def load_laid_out(folder: Path) -> PolicySet:
    """The policies of a bundle that is laid out in a folder; their places are told as paths within the bundle."""
    return load_policies([folder], shown=lambda path: path.relative_to(folder).as_posix())


def check_hashes(packed: Packed, folder: Path, file: str) -> PolicySet:
    """The policies in a folder, provided that they lead to the hashes that their bundle states. Raises PolicyError."""
    policies = load_laid_out(folder)
    if policies.errors:
        raise PolicyError(policies.errors)
    found = {name: timeline(policies, name) for name in policies.ids("engine")}
    for name in sorted(found.keys() | packed.engines.keys()):
        if found.get(name) != packed.engines.get(name):
            message = f"the policies of {quoted(name)} do not lead to the hashes that it states for them"
            help_ = "pack it anew with the mqk that is to read it"
            raise PolicyError([error("MQK-1571", message, Span.nowhere(file), help_)])
    return policies


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """The policies of a bundle file in a temporary folder, provided that those whom MQK_POLICY_KEYS names signed it.

    Raises PolicyError when the file is not sound or not trusted, OSError when there is none.
    """
    packed = read_packed(file)
    verify_packed(packed, shown_path(file))
    with laid_out(packed) as folder:
        yield folder


class _Reader:
    """Takes a document apart, trusting none of it."""

    def __init__(self, file: str) -> None:
        self.span = Span.nowhere(file)

    def fault(self, message: str, help_: str = "it is no bundle file, or was changed: get it anew") -> PolicyError:
        return PolicyError([error("MQK-1570", message, self.span, help_)])

    def document(self, data: bytes) -> object:
        if len(data) > LARGEST:
            raise self.fault(f"it is larger than {LARGEST:_} bytes")
        try:
            found: object = json.loads(
                data.decode("utf-8"),
                object_pairs_hook=self._pairs,
                parse_float=self._no_number,
                parse_constant=self._no_number,
            )
            rfc8785.dumps(found)  # type: ignore[arg-type] # refused when it is none of its types
        except UnicodeDecodeError as fault:
            raise self.fault("it is not UTF-8") from fault
        except rfc8785.CanonicalizationError as fault:
            raise self.fault(f"it says what bundle files cannot say: {fault}") from fault
        except RecursionError as fault:
            raise self.fault("it is nested too deep") from fault
        except ValueError as fault:
            raise self.fault(f"it is not JSON: {fault}") from fault
        return found

    def _pairs(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                raise self.fault(f"the key {quoted(key)} is written twice")
            found[key] = value
        return found

    def _no_number(self, text: str) -> object:
        raise self.fault(f"the number {quoted(text)} has no place in it")

    def mapping(self, value: object, what: str, keys: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fault(f"{what} is no object")
        if keys is not None and value.keys() != keys:
            wrong = min(value.keys() ^ keys)
            raise self.fault(f"{what} {'has no' if wrong in keys else 'has an unknown'} {quoted(wrong)}")
        return value

    def files(self, value: object) -> dict[str, str]:
        found = self.mapping(value, "`files`")
        if not 1 <= len(found) <= MOST_FILES:
            raise self.fault(f"it holds {len(found):_} files, and a bundle has from 1 to {MOST_FILES:_}")
        taken: set[str] = set()
        for path, text in found.items():
            if not isinstance(text, str) or len(text.encode("utf-8")) > MAX_BYTES:
                raise self.fault(f"the file {quoted(path)} is no text of at most {MAX_BYTES:_} bytes")
            self._path(path, taken)
        folders = {path.rsplit("/", depth)[0] for path in taken for depth in range(1, path.count("/") + 1)}
        if taken & folders:
            raise self.fault(f"{quoted(min(taken & folders))} is a file and a folder")
        return found

    def _path(self, path: str, taken: set[str]) -> None:
        parts = path.split("/")
        plain = path.isprintable() and not any(char in path for char in '\\:*?"<>|')
        if not plain or any(not part or part.startswith(".") or part != part.strip(" .") for part in parts):
            raise self.fault(f"the path {quoted(path)} leads out of the bundle, or is none everywhere")
        if not path.lower().endswith(SUFFIXES) or len(path) > 255:
            raise self.fault(f"the path {quoted(path)} is not one of a policy file")
        if path.casefold() in taken:
            raise self.fault(f"the path {quoted(path)} is one with another where capitals do not count")
        taken.add(path.casefold())

    def engines(self, value: object) -> dict[str, tuple[Spell, ...]]:
        return {name: tuple(self._spells(name, spells)) for name, spells in self.mapping(value, "`engines`").items()}

    def _spells(self, name: str, value: object) -> Iterator[Spell]:
        if not isinstance(value, list) or not value:
            raise self.fault(f"the hashes of {quoted(name)} are no list")
        for each in value:
            spell = self.mapping(each, f"a hash of {quoted(name)}", {"since", "sha256"})
            since, sha256 = spell["since"], spell["sha256"]
            if sha256 is not None and not _is_hash(sha256):
                raise self.fault(f"the hash {quoted(str(sha256))} of {quoted(name)} is none")
            try:
                yield Spell(parse_date(since if isinstance(since, str) else ""), sha256)
            except QuantityError as fault:
                raise self.fault(f"the day {quoted(str(since))} of {quoted(name)} is none") from fault

    def signatures(self, value: object) -> tuple[Signature, ...]:
        if not isinstance(value, list) or len(value) > MOST_SIGNATURES:
            raise self.fault(f"`signatures` is no list of at most {MOST_SIGNATURES}")
        found = []
        for each in value:
            one = self.mapping(each, "a signature", {"key", "signature"})
            if not _is_hash(one["key"]) or not isinstance(one["signature"], str):
                raise self.fault("a signature names no key, or is no text")
            found.append(Signature(one["key"], one["signature"]))
        if len({each.key for each in found}) < len(found):
            raise self.fault("two signatures are by the same key")
        return tuple(found)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef")
