"""`mqk policy fmt`: policy files in the house layout, without losing a comment or changing what they say.

What lives here: the arguments, and replacing files whole or not at all. The layout is mqk.policy.formatting.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from mqk.cli.exits import Exit, Failure
from mqk.cli.output import in_color, say
from mqk.policy import Diagnostic, render_text
from mqk.policy.diagnostics import in_order, shown_path
from mqk.policy.documents import policy_files
from mqk.policy.formatting import Formatted, format_bytes

_OWN: Final = Path("policies")


def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders.", show_default="./policies"),
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
) -> None:
    """Lay policy files out anew: order of keys, indentation, spacing. Files with errors are left as they are."""
    if not paths and not _OWN.is_dir():
        # What came with mqk is not written to because somebody stands in another folder.
        raise Failure("there is no folder `policies` here", "name the files or folders to lay out")
    found: list[Diagnostic] = []
    sources: dict[str, str] = {}
    changed = 0
    files = policy_files(paths or [_OWN], found)
    for path in files:
        name = shown_path(path)
        result = format_bytes(path.read_bytes(), name)
        found += result.diagnostics
        sources[name] = result.before
        if not result.changed:
            continue
        changed += 1
        if diff:
            say(*_difference(result, name))
        elif not check:
            _replace(path, result.after)
        if not diff:
            say(f"{name}: {'would be laid out anew' if check else 'laid out anew'}")
    if found:
        say(render_text(in_order(found), sources, color=in_color()))
    say(_summary(len(files), changed, wrote=not (check or diff)))
    raise typer.Exit(Exit.FINDING if found or (changed and (check or diff)) else Exit.DONE)


def _summary(files: int, changed: int, *, wrote: bool) -> str:
    counted = f"{files} file" + ("" if files == 1 else "s")
    if not changed:
        return f"{counted}: nothing to lay out anew"
    return f"{changed} of {counted} {'laid out anew' if wrote else 'would be laid out anew'}"


def _difference(result: Formatted, name: str) -> list[str]:
    before, after = (text.splitlines() for text in (result.before, result.after))
    return list(difflib.unified_diff(before, after, name, name, lineterm=""))


def _replace(path: Path, text: str) -> None:
    """Put a new text in the place of a file: whoever reads it sees the old one or the new one, never a part."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
