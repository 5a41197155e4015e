"""Ed25519 keys and signatures of policy bundle files: making a pair, signing, and who is trusted.

What lives here: keys, and whether a signature is one of a key that is configured. What does not: what is signed
(packing.py). Whether signatures are asked for is decided by the presence of a configuration of keys, and by nothing
that the bundle itself says.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqk.policy.diagnostics import PolicyError, Span, error, shown_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEYS_VARIABLE: Final = "MQK_POLICY_KEYS"
_PURPOSE: Final = b"mqk policy bundle\x00"  # so that a signature made for anything else is none of a bundle
_LARGEST: Final = 4096  # bytes of a key file; one of Ed25519 has about a hundred


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature in base64, and in hexadecimal the public key of whoever is said to have made it."""

    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The public keys of one configuration, in hexadecimal; `source` is where it was read."""

    source: str
    keys: frozenset[str]


def make_keys(private: Path) -> tuple[Path, str]:
    """Make a key pair: the private key in a new file that only its owner reads, the public one beside it.

    Returns the public key's file, and the key in hexadecimal. Raises PolicyError when either file is there already.
    """
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - only signing pays for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    public = private.with_name(f"{private.name}.pub")
    there = [each for each in (private, public) if each.exists() or each.is_symlink()]
    if there:
        help_ = "name another file: a key that is overwritten is lost"
        raise PolicyError(
            [
                error("MQK-1573", "a key would overwrite this file", Span.nowhere(shown_path(each)), help_)
                for each in there
            ]
        )
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    open_ = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    # The public half first: a private key without it could not be told from any other.
    _create(public, open_, 0o644)
    _create(private, secret, 0o600)
    return public, _raw(key.public_key()).hex()


def trust_of(payload: bytes, signatures: Sequence[Signature], source: str) -> Trust | None:
    """Trust in those whose signatures of a payload are good; None when nobody has signed it."""
    keys = frozenset(each.key for each in signatures if _holds(payload, each))
    return Trust(source, keys) if keys else None


def sign(payload: bytes, private: Path) -> Signature:
    """The signature of a payload by the private key in a file. Raises PolicyError when there is none to read."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only signing pays for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    data = _read(private)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise _no_key(private, "no private key without a password, in PEM") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(private, "a key of another kind than Ed25519")
    return _signed(payload, key)


def _signed(payload: bytes, key: Ed25519PrivateKey) -> Signature:
    made = base64.b64encode(key.sign(_PURPOSE + payload)).decode("ascii")
    return Signature(_raw(key.public_key()).hex(), made)


def configured(given: Path | None = None) -> tuple[Trust, ...]:
    """Every configuration of keys there is: the one given, and the one that MQK_POLICY_KEYS names.

    Each of them has to trust a bundle, so that naming keys of one's own never stands in for those of the desk. A
    configuration without a single key trusts nobody. Raises PolicyError for one that cannot be read.
    """
    named = os.environ.get(KEYS_VARIABLE)
    # A variable that is set and empty was meant to name something: that it names nothing must not open the door.
    places = [*([] if named is None else [(Path(named), KEYS_VARIABLE)]), *([] if given is None else [(given, None)])]
    return tuple(_trust(path, variable) for path, variable in places)


def verify(payload: bytes, signatures: Sequence[Signature], trusts: Sequence[Trust], file: str) -> None:
    """Make sure that every configuration of keys trusts a payload. Without any configuration nothing is asked.

    Raises PolicyError when there is no signature, none by a key that is known, or one by a known key that is wrong.
    """
    for trust in trusts:
        span = Span.nowhere(file)
        known = [each for each in signatures if each.key in trust.keys]
        wrong = [each for each in known if not _holds(payload, each)]
        keys = f"{len(trust.keys)} key{'' if len(trust.keys) == 1 else 's'} of `{trust.source}`"
        help_ = f"have it signed by the holder of one of the {keys}: `mqk policy bundle ... --sign KEYFILE`"
        if wrong:
            message = f"the signature by key {wrong[0].key[:16]} is not one of this content"
            raise PolicyError([error("MQK-1572", message, span, "get the file anew from whoever signed it")])
        if not signatures:
            raise PolicyError([error("MQK-1572", "it is not signed, and keys are configured", span, help_)])
        if not known:
            by = ", ".join(each.key[:16] for each in signatures)
            raise PolicyError([error("MQK-1572", f"it is signed by {by}, which nobody here knows", span, help_)])


def _holds(payload: bytes, signature: Signature) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only signing pays for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        made = base64.b64decode(signature.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key)).verify(made, _PURPOSE + payload)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _trust(path: Path, variable: str | None) -> Trust:
    shown = shown_path(path)
    told = shown if variable is None else f"{shown} ({variable})"
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".pub")
        if not files or not path.name:
            raise _no_keys(told, "no public key is in it")
    elif path.is_file():
        files = [path]
    else:
        raise _no_keys(told, "there is no such file or folder")
    return Trust(shown, frozenset(_raw(_public(each)).hex() for each in files))


def _public(path: Path) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only signing pays for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise _no_key(path, "no public key in PEM") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "a key of another kind than Ed25519")
    return key


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as fault:
        raise _no_key(path, f"nothing that can be read ({(fault.strerror or 'unknown reason').lower()})") from fault
    if len(data) > _LARGEST:
        raise _no_key(path, "far more than a key")
    return data


def _create(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)


def _no_key(path: Path, found: str) -> PolicyError:
    # What is in the file is never shown: it may be a secret.
    message = f"an Ed25519 key is expected here, and there is {found}"
    return PolicyError([error("MQK-1573", message, Span.nowhere(shown_path(path)), "`mqk policy keygen` makes a pair")])


def _no_keys(told: str, found: str) -> PolicyError:
    message = f"keys are to be read here, and {found}: nothing is trusted"
    help_ = f"put the desk's `*.pub` files there, or take the option or {KEYS_VARIABLE} away"
    return PolicyError([error("MQK-1573", message, Span.nowhere(told), help_)])
