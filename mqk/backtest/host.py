"""The machine that a run was made on, as far as its bytes can depend on it: names and versions, and nothing private.

What lives here: the fingerprint. What does not: the name of the machine or of anybody on it, its paths and settings.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from mqk.backtest.audit import canonical

# Whose bytes are in the artifacts: the table of decisions, and the hashes of policies.
_LIBRARIES: Final = ("pyarrow", "rfc8785", "exchange-calendars")


def host_fingerprint() -> dict[str, str]:
    """What the bytes of a run can depend on beside its inputs, and one `sha256` over it.

    The same run on two machines of one fingerprint has the same bytes; where they differ it may differ in the bytes of
    a library's format, and in nothing that was decided.
    """
    return dict(_fingerprint())


@cache
def _fingerprint() -> tuple[tuple[str, str], ...]:
    found = {
        "system": platform.system(),
        "machine": platform.machine(),
        "byte_order": sys.byteorder,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in _LIBRARIES},
    }
    return (*found.items(), ("sha256", hashlib.sha256(canonical(found)).hexdigest()))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
