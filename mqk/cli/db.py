"""`mqk db`: where the database stands, bringing it up to date, stopping the embedded one.

Everything is done by mqk.store; nothing here speaks SQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mqk.cli.database import existing_url
from mqk.cli.options import DATA_DIR, DataDirOption, Format, FormatOption
from mqk.cli.output import print_json, say, table
from mqk.store.database import DatabaseStatus, database_url
from mqk.store.database import migrate as migrate_database
from mqk.store.database import status as status_of
from mqk.store.embedded import stop_database

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look after the database.")


@app.command()
def status(data_dir: DataDirOption = DATA_DIR, format_: FormatOption = Format.TEXT) -> None:
    """Say where the database stands. Exit 4 when there is none."""
    _show(status_of(existing_url(data_dir)), format_)


@app.command()
def migrate(
    data_dir: DataDirOption = DATA_DIR,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Even while a LIVE run is armed or running.")] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Bring the database to the newest revision, making it if there is none. Exit 3 while a LIVE run is active."""
    url = database_url(data_dir)
    migrate_database(url, force=yes)
    _show(status_of(url), format_)


@app.command()
def stop(data_dir: DataDirOption = DATA_DIR) -> None:
    """Stop the PostgreSQL embedded in the data directory. One that MQK_DATABASE_URL names is left alone."""
    # Asked for by path alone: a folder that is not there must not come to be by stopping it.
    stopped = Path(data_dir).is_dir() and stop_database(data_dir)
    say("database stopped" if stopped else f"no database was running in {data_dir}")


def _show(found: DatabaseStatus, format_: Format) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "url": found.url,
                "server": found.server,
                "revision": found.revision,
                "newest": found.newest,
                "pending": list(found.pending),
                "active_live_runs": found.active_live_runs,
            }
        )
        return
    pending = ", ".join(found.pending) or "none"
    say(
        *table(
            [
                ["database", found.url],
                ["server", f"PostgreSQL {found.server}"],
                ["revision", found.revision or "none"],
                ["pending", pending if found.current else f"{pending} (run `mqk db migrate`)"],
                ["active LIVE runs", str(found.active_live_runs)],
            ],
            indent="",
        )
    )
