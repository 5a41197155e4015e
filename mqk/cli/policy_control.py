"""`mqk policy propose`, `approve`, `reject`, `activate`, `rollback`, `log`, `export`: how a change of policies rules.

What lives here: arguments. What does not: what the commands do (control.py), which is imported when one of them is
called and not before: most commands about policies need no database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mqk.cli.options import DATA_DIR, DataDirOption, Format, FormatOption
from mqk.cli.policy_bundle import KeysOption

ProposalArgument = Annotated[int, typer.Argument(metavar="PROPOSAL", min=1, help="The proposal's number.")]
AsNameOption = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="Who asks: a name that is claimed, and kept beside that of the system's user.",
        show_default="this user",
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]


def propose(
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="[POLICIES]",
            help="A folder, a bundle file or a git revision.",
            show_default="./policies, else the shipped ones",
        ),
    ] = None,
    *,
    reason: ReasonOption,
    name: AsNameOption = None,
    keys: KeysOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Propose policies: what they change against what is active is kept, shown, and decides who must approve."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.propose(where, reason, name, keys, data_dir, format_)


def approve(
    proposal: ProposalArgument,
    *,
    name: AsNameOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without being asked again.")] = False,
    shared: Annotated[
        bool, typer.Option("--shared-account", help="One user of this system serves several people; kept on record.")
    ] = False,
    keys: KeysOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Approve of a proposal of somebody else's, having been shown what it changes. Exit 3 when it would not count."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.approve(proposal, name, keys, data_dir, format_, asked=yes, shared=shared)


def reject(
    proposal: ProposalArgument,
    *,
    reason: ReasonOption,
    name: AsNameOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Reject a proposal, or take one's own back: nothing becomes of it any more."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.reject(proposal, reason, name, data_dir, format_)


def activate(
    proposal: ProposalArgument,
    *,
    name: AsNameOption = None,
    keys: KeysOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Let an approved proposal rule: every run begun or taken up from now on. Exit 3 when approvals are missing."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.activate(proposal, name, keys, data_dir, format_)


def rollback(
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=1, help="The revision to go back to.")],
    *,
    reason: ReasonOption,
    name: AsNameOption = None,
    keys: KeysOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Propose an earlier revision again. What it loosens against the active one takes two approvals like any change."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.rollback(revision, reason, name, keys, data_dir, format_)


def log(
    *,
    engine: Annotated[str | None, typer.Option("--engine", metavar="ID", help="Only this engine.")] = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say which revisions were active when, who proposed and approved them, and what is still open."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.log(engine, data_dir, format_)


def export(
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=1, help="The revision.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The bundle file to write.")],
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Write a revision as the bundle file that it was proposed as."""
    from mqk.cli import control  # noqa: PLC0415 - only what needs the database pays for it

    control.export(revision, out, data_dir)
