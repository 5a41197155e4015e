"""What the tests of mqk.policy share: documents written to a folder, and the sound set to build on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mqk.policy import Diagnostic, PolicySet, load_policies

HERE = Path(__file__).parent
SOUND = HERE / "sound"
BROKEN = HERE / "broken"


def sound_files() -> dict[str, str]:
    """The sound documents by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(SOUND.glob("*.yaml"))}


def load_texts(folder: Path, files: Mapping[str, str]) -> PolicySet:
    """Write files into a folder of their own and load it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return load_policies([folder])


def found(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str, str | None]]:
    """Code, message and help of each, for comparing."""
    return [(each.code, each.message, each.help) for each in diagnostics]
