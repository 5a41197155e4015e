"""Where the files that travel with mqk are: schemas and shipped policies, in a checkout and in an installed wheel.

Only places; reading them is the business of schemas.py and documents.py.
"""

from __future__ import annotations

from pathlib import Path


def schemas_dir() -> Path:
    """The folder of the JSON Schemas. Raises FileNotFoundError when mqk was installed without them."""
    return _folder("schemas", "risk.schema.json")


def shipped_policies_dir() -> Path:
    """The folder of the policies that ship. Raises FileNotFoundError when mqk was installed without them."""
    return _folder("policies", "base")


def _folder(name: str, member: str) -> Path:
    package = Path(__file__).resolve().parents[1]
    # A wheel carries them inside the package; a checkout has them beside it, where people edit them.
    for folder in (package / "_data" / name, package.parent / name):
        if (folder / member).exists():
            return folder
    raise FileNotFoundError(f"mqk is installed without its {name}")
