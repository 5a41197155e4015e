"""`mqk policy textconv`: a policy file as `git diff` compares it, by what it means.

What lives here: the command that git calls. What does not: the lines (mqk.policy.normal).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mqk.cli.output import say
from mqk.policy.normal import normal_lines


def run(file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]) -> None:
    """Print a policy file one value a line, so that `git diff` shows what changed and not how it is laid out.

    A file that cannot be read as a policy is printed as it is. `mqk init` tells git to call this.
    """
    data = file.read_bytes()
    lines = normal_lines(data, file.name)
    if lines is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    else:
        say(*lines)
