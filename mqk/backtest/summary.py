"""What a backtest came to: the manifest that says what was run, the metrics, and the summary for people and programs.

What lives here: figures over the whole run. What does not: the files (artifacts.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mqk
from mqk.backtest.artifacts import KIND, PROVENANCE
from mqk.backtest.code import code_sha256
from mqk.backtest.figures import Figures, measure_columns
from mqk.backtest.host import host_fingerprint
from mqk.market import calendar_of
from mqk.quantity import format_instant, format_money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mqk.backtest.inputs import RunInput
    from mqk.backtest.recorder import Recorder, Stop
    from mqk.backtest.sources import Source
    from mqk.engine import EngineState, Refused
    from mqk.guards import Latch
    from mqk.policy import Bundle


@dataclass(frozen=True, slots=True)
class BacktestSummary:
    """A backtest in figures. Money in micros beside its text; ratios are fractions (0.05 is 5 %), None without meaning.

    `orders` were placed, `fills` came of them, `denied` intents were refused (`denied_by_rule` counts each rule that
    asked for it); `halts` counts the times a rule stopped the engine; `trades` the fills that closed shares. `held` are
    the latches at the end; `stale_positions` were held then at a price from before, and say from when; `stops` are the
    first times that a rule stopped it, `failed` what a strategy failed of, which ended the run; `sample` is a refusal
    of the rule that denied most, None when nothing was denied.
    """

    engine: str
    bundle_sha256: str
    data_sha256: str
    run_id: str
    bars: int
    bars_rejected: int
    orders: int
    fills: int
    denied: int
    denied_by_rule: Mapping[str, int]
    halts: int
    trades: int
    winning_trades: int
    initial_equity_micros: int
    final_equity_micros: int
    realised_micros: int
    fees_micros: int
    dividends_micros: int
    gross_profit_micros: int
    gross_loss_micros: int
    figures: Figures
    posture: str
    held: tuple[Latch, ...]
    open_positions: Mapping[str, int]
    stale_positions: Mapping[str, int]
    stops: tuple[Stop, ...]
    failed: str | None
    artifacts_sha256: str
    sample: Refused | None

    @property
    def max_drawdown(self) -> float:
        """The deepest fall of equity below its peak so far."""
        return float(self.figures.max_drawdown)

    @property
    def total_return(self) -> float | None:
        """Final equity over capital, less one."""
        return _ratio(self.figures.total_return)

    @property
    def sharpe(self) -> float | None:
        """Mean over deviation of session returns, annualised."""
        return _ratio(self.figures.sharpe)

    @property
    def final_equity(self) -> str:
        """The equity after the last bar, written with its unit."""
        return format_money(self.final_equity_micros)

    def to_json(self) -> dict[str, Any]:
        """The summary as other tools read it."""
        return {
            **self.metrics(),
            "artifacts_sha256": self.artifacts_sha256,
            "engine": self.engine,
            "bundle": self.bundle_sha256,
            "data_sha256": self.data_sha256,
            "run_id": self.run_id,
        }

    def metrics(self) -> dict[str, Any]:
        """The figures of the run, without the hash of the files they are written to."""
        return {
            "bars": self.bars,
            "bars_rejected": self.bars_rejected,
            "orders": self.orders,
            "fills": self.fills,
            "denied": self.denied,
            "denied_by_rule": dict(sorted(self.denied_by_rule.items())),
            "halts": self.halts,
            "trades": self.trades,
            "winning_trades": self.winning_trades,
            "initial_equity": format_money(self.initial_equity_micros),
            "final_equity": self.final_equity,
            "final_equity_micros": self.final_equity_micros,
            "realised": format_money(self.realised_micros),
            "fees": format_money(self.fees_micros),
            "gross_profit": format_money(self.gross_profit_micros),
            "gross_loss": format_money(self.gross_loss_micros),
            "dividends": format_money(self.dividends_micros),
            **self._figures(),
            "posture": self.posture,
            "held": [
                {"rule": latch.rule, "outcome": latch.outcome, "since": format_instant(latch.since)}
                for latch in self.held
            ],
            "open_positions": dict(sorted(self.open_positions.items())),
            "stale_positions": {name: format_instant(at) for name, at in sorted(self.stale_positions.items())},
            "stops": [stop.to_json() for stop in self.stops],
            "failed": self.failed,
        }

    def _figures(self) -> dict[str, Any]:
        """The figures by the names that promotions know; trades are counted by orders there, by fills here."""
        counted = {"trades", "fills"}
        values = {field.name: getattr(self.figures, field.name) for field in fields(self.figures)}
        return {
            name: _ratio(value) if isinstance(value, Fraction) else value
            for name, value in values.items()
            if name not in counted
        }


def _ratio(value: Fraction | None) -> float | None:
    """A ratio of nine decimals as JSON has it: the float next to it, which prints as it."""
    return None if value is None else float(value)


def manifest(
    given: RunInput,
    run_id: str,
    *,
    others: Sequence[RunInput] = (),
    sources: Sequence[Source] = (),
    host: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What was run, completely: with the bars, it is all that the results depend on. No clock and no paths.

    `others` are the engines of the desk whose figures its rules have read. `provenance` says where it was run and what
    the files were called: nothing depends on it but some library's bytes.
    """
    bundle = given.guards.bundle
    return {
        "kind": KIND,
        "mqk": mqk.__version__,
        "code": code_sha256(bundle),
        "run_id": run_id,
        "engine": bundle.engine,
        "mode": "BACKTEST",
        "capital": format_money(bundle.capital.micros, bundle.capital.currency),
        "strategies": [
            {"id": spec.id, "params": dict(spec.params), "shadow": spec.shadow} for spec in bundle.strategies
        ],
        "seed": _seed(bundle),
        "bundle": _bundle(bundle),
        "data": given.data_json(),
        "others": {
            other.engine: {
                "code": code_sha256(other.guards.bundle),
                "bundle": _bundle(other.guards.bundle),
                "data": other.data_json(),
            }
            for other in others
        },
        PROVENANCE: {
            "host": dict(host_fingerprint() if host is None else host),
            "sources": [each.to_json() for each in sources],
        },
    }


def _bundle(bundle: Bundle) -> dict[str, Any]:
    return {
        "sha256": bundle.sha256,
        "as_of": None if bundle.as_of is None else bundle.as_of.isoformat(),
        "overlays": list(bundle.overlays),
        "content": json.loads(bundle.canonical_bytes),
    }


def _stale(state: EngineState, record: Recorder) -> dict[str, int]:
    """What is held at the end at a price from before it, and since when: there was no bar to get out at."""
    ends, _, _ = record.curve.columns()
    last = ends[-1] if ends else state.now
    lines = ((symbol, state.lines[symbol].previous_end) for symbol in state.ledger.positions)
    return {symbol: end for symbol, end in lines if end is not None and end < last}


def _seed(bundle: Bundle) -> int | None:
    """Where the run's chance begins; None where nothing is left to chance."""
    faults = bundle.execution.faults
    return faults.seed if faults.rejects.value or faults.partial_fills.value else None


def summarise(state: EngineState, record: Recorder, *, bars: int, data: str, artifacts: str = "") -> BacktestSummary:
    """The figures of a finished run."""
    capital = state.ledger.initial_cash
    ends, equity, _ = record.curve.columns()
    figures = measure_columns(capital, ends, equity, state.ledger.entries, calendar_of(state.guards.bundle.calendar))
    worst = max(sorted(record.refused_by_rule), key=record.denied_by_rule.__getitem__, default=None)
    return BacktestSummary(
        engine=state.engine,
        bundle_sha256=state.bundle_sha256,
        data_sha256=data,
        run_id=state.run_id,
        bars=bars,
        bars_rejected=record.bars_rejected,
        orders=len(record.submitted),
        fills=len(record.fills),
        denied=record.denied,
        denied_by_rule=dict(sorted(record.denied_by_rule.items())),
        halts=record.halts,
        trades=record.trades,
        winning_trades=record.won,
        initial_equity_micros=capital,
        final_equity_micros=state.account.equity,
        realised_micros=state.ledger.realised,
        fees_micros=state.ledger.fees,
        dividends_micros=state.ledger.dividends,
        gross_profit_micros=record.profits,
        gross_loss_micros=record.losses,
        figures=figures,
        posture=state.run.posture,
        held=state.latches.held(),
        stale_positions=_stale(state, record),
        stops=tuple(record.stops),
        failed=record.failed,
        open_positions={symbol: state.ledger.qty(symbol) for symbol in sorted(state.ledger.positions)},
        artifacts_sha256=artifacts,
        sample=None if worst is None else record.refused_by_rule[worst],
    )
