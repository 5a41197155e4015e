"""`mqk policy bundle`, `verify`, `keygen`: policies as one signed file that moves between machines.

What lives here: arguments and text. What does not: the file's format (mqk.policy.packing), keys (mqk.policy.signing).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from mqk.cli.bound import policies_at
from mqk.cli.options import AsOfOption, Format, FormatOption
from mqk.cli.output import print_json, say, table
from mqk.policy.diagnostics import shown_path
from mqk.policy.packing import Packed, check_hashes, laid_out, pack, read_packed, verify_packed, write_packed
from mqk.policy.signing import KEYS_VARIABLE, configured, make_keys
from mqk.policy.timeline import spell_on

KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="PATH",
        help=f"Whose signatures are trusted: a `*.pub` file, or a folder of them. {KEYS_VARIABLE} names more.",
        show_default=False,
    ),
]


def bundle(
    policies: Annotated[
        Path | None,
        typer.Argument(metavar="[POLICIES]", help="The policies.", show_default="./policies, else the shipped ones"),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The bundle file to write.")],
    revision: Annotated[int, typer.Option("--revision", min=1, help="Its number, which only grows.")],
    keys: Annotated[
        list[Path] | None,
        typer.Option("--sign", metavar="KEYFILE", help="Sign it with this private key.", show_default=False),
    ] = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Pack policies into one file, the same bytes for the same policies, and sign it."""
    packed = pack(policies_at(policies), revision)
    for key in keys or []:
        packed = packed.signed(key)
    write_packed(packed, out)
    _show(packed, out, as_of, format_)


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle file.")],
    *,
    keys: KeysOption = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Check that a bundle file is whole, leads to the hashes it states, and is signed by whoever has to sign it."""
    packed = read_packed(file)
    verify_packed(packed, shown_path(file), keys)
    with laid_out(packed) as folder:
        check_hashes(packed, folder, shown_path(file))
    _show(packed, file, as_of, format_, trusted=bool(configured(keys)))


def keygen(
    out: Annotated[Path, typer.Option("--out", metavar="KEYFILE", help="The private key; FILE.pub is the public one.")],
) -> None:
    """Make an Ed25519 key pair for signing bundle files. The private key is written and never shown."""
    public, key = make_keys(out)
    say(
        *table(
            [
                ["private key", f"{shown_path(out)} (keep it; only you can read it)"],
                ["public key", f"{shown_path(public)} (give it to those who verify)"],
                ["key", key],
            ],
            indent="",
        )
    )


def _show(packed: Packed, file: Path, as_of: date | None, format_: Format, *, trusted: bool | None = None) -> None:
    assert as_of is not None, "the option says today"
    if format_ is Format.JSON:
        print_json(
            {
                "file": shown_path(file),
                "revision": packed.revision,
                "sha256": packed.sha256,
                "files": len(packed.files),
                "engines": {
                    name: [{"since": each.since.isoformat(), "sha256": each.sha256} for each in spells]
                    for name, spells in packed.engines.items()
                },
                "signed_by": [each.key for each in packed.signatures],
                "verified": trusted,
            }
        )
        return
    signed = ", ".join(each.key[:16] for each in packed.signatures) or "nobody"
    if trusted is False:
        signed += " (no keys are configured, so nobody was asked for)"
    rows = [
        ["revision", str(packed.revision)],
        ["hash", packed.sha256],
        ["files", f"{len(packed.files):,}"],
        ["signed by", signed],
    ]
    for name, spells in packed.engines.items():
        now = spell_on(spells, as_of)
        rows.append([f"engine {name}", now.sha256 or "no effective policy on this day"])
        rows += [["", f"{each.sha256 or 'none'} from {each.since} on"] for each in spells if each.since > now.since]
    say(shown_path(file), *table(rows))
