"""The files of a finished backtest, read and held against each other: nothing is believed for being written down.

What lives here: from a folder to a curve, fills and what the run says of itself. What does not: figures (figures.py).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import rfc8785

from mqk.backtest.artifacts import KIND, NAMES
from mqk.backtest.audit import verify_audit
from mqk.backtest.recorder import HALTING
from mqk.portfolio import Dividend, Fill, Ledger, LedgerError, Split
from mqk.promotion.errors import PromotionError
from mqk.quantity import MICROS, QuantityError, parse_instant, parse_money

if TYPE_CHECKING:
    from pathlib import Path

    from mqk.portfolio import Entry

_AMOUNT: Final = re.compile(r"(-?)(\d+)\.(\d{6})")
_HELP: Final = "run the backtest again, and leave its files as they are"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind. Money in micros, instants in epoch micros.

    `halted` is whether any rule stopped it on the way, or held anything at its end, or a strategy failed.
    """

    engine: str
    run_id: str
    bundle_sha256: str
    overlays: tuple[str, ...]
    data_sha256: str
    code_sha256: str | None
    calendar: str
    capital: int
    curve: tuple[tuple[int, int], ...]
    fills: tuple[Fill, ...]
    actions: tuple[Dividend | Split, ...]
    halted: bool

    @property
    def entries(self) -> list[Entry]:
        """Fills and corporate actions in the order of booking: what goes ex comes before the fills of its instant."""
        return list(merge(self.actions, self.fills, key=attrgetter("at")))


def read_evidence(folder: Path) -> Evidence:
    """Read a backtest's folder. Raises PromotionError with everything in it that is missing, changed or at odds."""
    manifest = _manifest(folder)
    files, reasons = _files(folder, manifest)
    if reasons:
        raise PromotionError(reasons, _HELP)
    try:
        metrics = json.loads(files["metrics.json"])
        audit = [json.loads(line) for line in files["audit.jsonl"].splitlines()]
        points = _rows(files["equity_curve.csv"])
        curve = tuple((parse_instant(row["at"]), _micros(row["equity"])) for row in points)
        fills = tuple(_fill(row) for row in _rows(files["fills.csv"]))
        actions = tuple(entry for row in _rows(files["corporate_actions.csv"]) for entry in _actions(row))
        evidence = _evidence(manifest, audit, curve, fills, actions)
        cash = _micros(points[-1]["cash"]) if points else evidence.capital
        reasons = _at_odds(folder, evidence, manifest, metrics, audit, cash)
    except (KeyError, TypeError, ValueError, LedgerError) as fault:
        raise PromotionError([f"`{folder}` is not as a backtest writes it: {fault}"], _HELP) from fault
    if reasons:
        raise PromotionError(reasons, _HELP)
    return evidence


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        help_ = "name the folder that `mqk backtest --out` wrote"
        raise PromotionError([f"`{folder}` has no `manifest.json`"], help_) from None
    except ValueError:
        raise PromotionError([f"`{folder}/manifest.json` is not JSON"], _HELP) from None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise PromotionError([f"`{folder}/manifest.json` is no backtest's"], "name a folder of `mqk backtest`")
    return manifest


def _files(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, bytes], list[str]]:
    """The files that the manifest vouches for, and what is wrong with them."""
    hashes = manifest.get("artifacts")
    hashes = hashes if isinstance(hashes, dict) else {}
    files: dict[str, bytes] = {}
    reasons = []
    for name in NAMES:
        if name == "manifest.json":
            continue
        try:
            files[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            reasons.append(f"`{folder}` has no `{name}`")
            continue
        if hashlib.sha256(files[name]).hexdigest() != hashes.get(name):
            reasons.append(f"`{folder}/{name}` is not the file that the manifest names")
    if "audit.jsonl" in files:
        broken = verify_audit(files["audit.jsonl"])
        if broken is not None:
            reasons.append(f"`{folder}/audit.jsonl`: {broken}")
    return files, reasons


def _evidence(
    manifest: Mapping[str, Any],
    audit: Sequence[Mapping[str, Any]],
    curve: tuple[tuple[int, int], ...],
    fills: tuple[Fill, ...],
    actions: tuple[Dividend | Split, ...],
) -> Evidence:
    bundle = manifest["bundle"]
    stops = [line for line in audit if line["kind"] == "latch_set" and line["data"]["outcome"] in HALTING]
    code = manifest.get("code")
    return Evidence(
        engine=manifest["engine"],
        run_id=manifest["run_id"],
        bundle_sha256=bundle["sha256"],
        overlays=tuple(bundle["overlays"]),
        data_sha256=manifest["data"]["sha256"],
        code_sha256=None if code is None else str(code),
        calendar=bundle["content"]["calendar"],
        capital=parse_money(manifest["capital"]).micros,
        curve=curve,
        fills=fills,
        actions=actions,
        halted=bool(stops) or _posture(audit) != "NORMAL" or any(line["kind"] == "aborted" for line in audit),
    )


def _at_odds(
    folder: Path,
    evidence: Evidence,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    audit: Sequence[Mapping[str, Any]],
    cash: int,
) -> list[str]:
    """Where the files contradict each other: hashes can be written anew, a story told five times less easily."""
    begun = audit[0]["data"]
    booked = [line["data"]["fill_id"] for line in audit if line["kind"] == "fill"]
    final = evidence.curve[-1][1] if evidence.curve else evidence.capital
    told = {
        "the bundle": (evidence.bundle_sha256, begun["bundle"], _content_sha256(manifest)),
        "the bars": (evidence.data_sha256, begun["data_sha256"]),
        "the run": (evidence.run_id, begun["run_id"]),
        "the fills": ([fill.fill_id for fill in evidence.fills], booked),
        "the number of fills": (len(evidence.fills), metrics["fills"]),
        "the final equity": (final, metrics["final_equity_micros"]),
        "the cash at the end": (cash, Ledger.replay(evidence.capital, evidence.entries).cash),
        "the posture at the end": (_posture(audit), metrics["posture"]),
    }
    at_odds = [name for name, values in told.items() if any(value != values[0] for value in values)]
    if any(later[0] <= earlier[0] for earlier, later in zip(evidence.curve, evidence.curve[1:], strict=False)):
        at_odds.append("the instants of the equity curve")
    return [f"the files of `{folder}` contradict each other about {what}" for what in at_odds]


def _content_sha256(manifest: Mapping[str, Any]) -> str:
    """The hash of the policies that the manifest holds, in canonical form."""
    return hashlib.sha256(rfc8785.dumps(manifest["bundle"]["content"])).hexdigest()


def _posture(audit: Sequence[Mapping[str, Any]]) -> str:
    """What the engine might do at the end."""
    return next((str(line["data"]["posture"]) for line in reversed(audit) if line["kind"] == "posture"), "NORMAL")


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def _fill(row: Mapping[str, str]) -> Fill:
    return Fill(
        row["fill_id"],
        row["client_order_id"],
        row["symbol"],
        row["side"],
        int(row["qty"]),
        _micros(row["price"]),
        _micros(row["fee"]),
        parse_instant(row["at"]),
    )


def _actions(row: Mapping[str, str]) -> Iterator[Dividend | Split]:
    """The ledger's entries of what went ex: the split first, and the dividend on the shares of after it."""
    at, split, dividend = parse_instant(row["at"]), Fraction(row["split"]), Fraction(row["dividend"]) * MICROS
    if split != 1:
        yield Split(f"{row['action_id']}:split", row["symbol"], split, _micros(row["price_before"]), at)
    if dividend:
        yield Dividend(f"{row['action_id']}:dividend", row["symbol"], dividend, at)


def _micros(text: str) -> int:
    """An amount as artifacts write it."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise QuantityError("syntax", f"`{text}` is not an amount with six decimals")
    sign, whole, rest = found.groups()
    amount = int(whole) * MICROS + int(rest)
    return -amount if sign else amount
