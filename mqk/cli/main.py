"""The front door of the command line: `mqk`, its commands by name, and the boundary at which every error ends.

What a command does is in the module named after it, which is imported when that command is asked for and not before.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

import mqk
from mqk.cli.exits import Exit, explained

# Each command's module in this package carries its own Typer application under the name `app`.
COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "policy": "Check policies, ask them for a decision, see what is in force.",
        "backtest": "Run an engine over recorded bars, behind its policies.",
        "replay": "Run a finished backtest again and compare every byte.",
        "promote": "Judge a finished backtest by the gates of its engine.",
        "run": "Start, resume, watch and stop runs on the database.",
        "explain": "Explain a diagnostic by its code: what it means, an example, the mend.",
        "reference": "Print every fact, form of expression, key of a document, diagnostic and artifact.",
        "assess": "Report on what is asked of the desk, what answers it, and what is missing.",
        "why": "Explain one recorded decision in full.",
        "db": "Look after the database.",
        "init": "Copy a starter policy set into a repository of your own.",
        "demo": "See policies stop real orders: a backtest and a paper run.",
        "version": "Print the version.",
    }
)


# Words that make another command of one that does something by itself: `mqk backtest compare A B`.
SECOND: Final[Mapping[tuple[str, str], str]] = MappingProxyType({("backtest", "compare"): "backtest_compare"})


class Commands(TyperGroup):
    """The top-level group: it knows names and one line of help, and loads a command when it is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, help_ in COMMANDS.items():
            self.add_command(TyperCommand(name, help=help_))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        second = SECOND.get((str(name), rest[0])) if rest else None
        if second is not None:
            return f"{name} {rest[0]}", typer.main.get_command(import_module(f"mqk.cli.{second}").app), rest[1:]
        if name in COMMANDS:
            command = typer.main.get_command(import_module(f"mqk.cli.{name}").app)
        return name, command, rest


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mqk {mqk.__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 1 a finding, 2 bad input, 3 refused, 4 no usable environment.")
def _mqk(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Risk rules as reviewed, typed YAML, enforced in backtest, paper and live."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (None: the process's own) and return its exit status, having said everything there is to."""
    try:
        app(args=arguments, prog_name="mqk")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(Exit.DONE)
    except Exception as fault:  # noqa: BLE001 (the boundary of the process)
        words = explained(fault)
        if words is None:
            traceback.print_exception(fault)
            return Exit.FAULT
        sys.stderr.write(f"{words[0]}\n")
        return words[1]
    return Exit.DONE


def run() -> None:
    """The `mqk` program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a file under review holds, or what a terminal cannot show, must not keep a result from being told.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
