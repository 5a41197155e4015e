"""What the commands of change control do: each in one transaction, and what it came to in text or JSON.

What lives here: from plain arguments to mqk.runtime.change_control, and the ending. What does not: the arguments
(policy_control.py), text (control_text.py).
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from mqk.cli import control_text
from mqk.cli.bound import policies_at
from mqk.cli.database import existing_url, reading, ready_url
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import Format
from mqk.cli.output import print_json, say
from mqk.cli.paper import whoami
from mqk.policy.diagnostics import PolicyError, Span, error, shown_path
from mqk.policy.documents import SUFFIXES
from mqk.policy.packing import Packed, pack, read_packed, write_packed
from mqk.policy.revisions import opened
from mqk.policy.signing import configured
from mqk.runtime import change_control
from mqk.store import policies
from mqk.store.database import open_engine, require_current
from mqk.store.policies import Proposal, person


def propose(
    where: str | None,
    reason: str,
    name: str | None,
    keys: Path | None,
    data_dir: Path,
    format_: Format,
) -> None:
    """Propose policies against what is active."""
    who = _asker(name)
    with _writing(ready_url(data_dir)) as connection:
        packed, file = _packed(connection, where, keys)
        made = change_control.propose(connection, packed, file=file, by=who, reason=reason, at=_now(), keys=keys)
        _show(connection, made, format_)


def approve(
    proposal: int, name: str | None, keys: Path | None, data_dir: Path, format_: Format, *, asked: bool, shared: bool
) -> None:
    """Approve of a proposal, once it was shown and asked about, unless that was done elsewhere."""
    who = _asker(name)
    url = existing_url(data_dir)
    if not asked:
        # Outside any transaction: people take their time.
        with _writing(url) as connection:
            _show(connection, policies.get(connection, proposal), Format.TEXT)
        if not typer.confirm(f"approve of proposal {proposal} as {who.name}?"):
            raise Failure(f"proposal {proposal} was not approved", code=Exit.REFUSED)
    with _writing(url) as connection:
        approved = change_control.approve(connection, proposal, by=who, at=_now(), shared=shared, keys=keys)
        _show(connection, approved, format_)


def reject(proposal: int, reason: str, name: str | None, data_dir: Path, format_: Format) -> None:
    """Reject a proposal."""
    who = _asker(name)
    with _writing(existing_url(data_dir)) as connection:
        _show(connection, change_control.reject(connection, proposal, by=who, reason=reason, at=_now()), format_)


def activate(proposal: int, name: str | None, keys: Path | None, data_dir: Path, format_: Format) -> None:
    """Activate a proposal, and say which runs go on without it."""
    who = _asker(name)
    with _writing(existing_url(data_dir)) as connection:
        made = change_control.activate(connection, proposal, by=who, at=_now(), keys=keys)
        going = [run for each in made for run in change_control.going_on(connection, each.engine_id)]
    if format_ is Format.JSON:
        active = {each.engine_id: {"revision": each.revision, "activation": each.seq} for each in made}
        print_json({"proposal": proposal, "engines": active, "going_on": [str(run.run_id) for run in going]})
        return
    say(*(f"revision {each.revision} is active for {each.engine_id}" for each in made))
    say(*(f"run {run.run_id} of {run.engine_id} goes on as it began until it ends" for run in going))


def rollback(
    revision: int,
    reason: str,
    name: str | None,
    keys: Path | None,
    data_dir: Path,
    format_: Format,
) -> None:
    """Propose an earlier revision again."""
    who = _asker(name)
    with _writing(existing_url(data_dir)) as connection:
        made = change_control.roll_back(connection, revision, by=who, reason=reason, at=_now(), keys=keys)
        _show(connection, made, format_)


def log(engine: str | None, data_dir: Path, format_: Format) -> None:
    """Show what was active when, and what is still open."""
    with reading(data_dir) as connection:
        proposals, activations = policies.proposals(connection), policies.activations(connection)
    engines = control_text.history(proposals, activations)
    if engine is not None:
        proposals = [each for each in proposals if engine in {one.engine_id for one in each.verdicts}]
    if format_ is Format.JSON:
        shown = {name: versions for name, versions in engines.items() if engine in (None, name)}
        print_json({"engines": shown, "proposals": [control_text.proposal_json(each) for each in proposals]})
    else:
        say(*control_text.log_lines(engines, proposals, engine))


def export(revision: int, out: Path, data_dir: Path) -> None:
    """Write a revision as a bundle file."""
    with reading(data_dir) as connection:
        packed = change_control.revision_of(connection, revision)
    write_packed(packed, out)
    say(f"{shown_path(out)}: revision {packed.revision}, {len(packed.files):,} files ({packed.sha256})")


def _packed(connection: Connection, where: str | None, keys: Path | None) -> tuple[Packed, str]:
    """The bundle meant, and what messages call it: one that is packed already, or policies packed here."""
    path = policies_at(None if where is None else Path(where))
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return read_packed(path), shown_path(path)
    if configured(keys):
        message = "keys are configured, and only a signed bundle file is proposed then"
        help_ = "pack it with `mqk policy bundle ... --sign KEYFILE`, and propose that file"
        raise PolicyError([error("MQK-1572", message, Span.nowhere(where or shown_path(path)), help_)])
    with opened(where or str(path)) as found:
        return pack(found.path, policies.next_revision(connection)), where or shown_path(path)


def _show(connection: Connection, proposal: Proposal, format_: Format) -> None:
    if format_ is Format.JSON:
        print_json(control_text.proposal_json(proposal))
        return
    say(*control_text.proposal_lines(proposal, policies.activations(connection)))


def _asker(name: str | None) -> change_control.Asker:
    # Not by the environment, which anybody sets.
    uid = os.getuid()
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid {uid}"
    return change_control.Asker(person(name or whoami()), account)


def _now() -> int:
    return time.time_ns() // 1000


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """One transaction on the database, at the revision that this mqk needs."""
    require_current(url)
    engine = open_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
