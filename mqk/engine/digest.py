"""The digest of an engine's state: everything that decisions can depend on, as one hash.

What lives here: what goes into it. What does not: the state itself (state.py).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mqk.dsl.missing import MISSING

if TYPE_CHECKING:
    from mqk.engine.state import EngineState


def digest(state: EngineState) -> str:
    """SHA-256 of everything that decisions can depend on: two engines with one digest go on alike."""
    text = json.dumps({**_books(state), **_history(state)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _books(state: EngineState) -> dict[str, Any]:
    """What is held, what works, and what holds."""
    account, run = state.account, state.run
    lines = sorted(state.lines.values(), key=lambda line: line.symbol)
    return {
        "engine": state.engine,
        "bundle": state.bundle_sha256,
        "run": [state.run_id, run.mode, run.state, run.posture, run.killed],
        "ledger": repr(state.ledger.snapshot()),
        "account": [account.equity, account.day_start_equity, account.peak_equity, account.gross_exposure],
        "working": [account.working_buy_value, account.working_orders, account.open_positions],
        "orders": [
            [o.client_order_id, o.symbol, o.side, o.qty, o.filled, o.status, state.worst_prices[o.client_order_id]]
            for o in sorted(state.working.values(), key=lambda order: order.client_order_id)
        ],
        "lines": [
            [x.symbol, x.qty, x.working_buy, x.working_sell, x.price, x.previous_end, x.previous_close] for x in lines
        ],
        "brackets": [b.contents() for x in lines for _, b in sorted(x.brackets.items())],
        "latches": [[x.rule, x.outcome, x.since, x.until, x.by] for x in state.latches.held()],
        "streaks": state.latches.streaks(),
        "cancels": sorted(state.cancel_asked.items()),
        "sequence": state.sequence,
        "session": state.session,
        "now": state.now,
    }


def _history(state: EngineState) -> dict[str, Any]:
    """What is remembered of what happened, and what was told."""
    return {
        "windows": state.windows.contents(),
        "trades": state.trades.contents(),
        "bars": [
            [
                line.symbol,
                line.bars_seen,
                line.bar_session,
                line.session_low,
                line.previous_session_close,
                None if line.bar is None else [line.bar.end, line.bar.high, line.bar.low, line.bar.volume],
                line.plan,
                line.ex_session,
            ]
            for line in sorted(state.lines.values(), key=lambda line: line.symbol)
        ],
        "entries": [
            [line.symbol, sorted(line.entries), line.opened_today, line.closed_at, line.day_trades.contents()]
            for line in sorted(state.lines.values(), key=lambda line: line.symbol)
        ],
        "placed": [[repr(key), found] for key, found in sorted(state.placed.items(), key=repr)],
        "told": [state.plan, state.next_plan, state.reconciled_at, state.other_engines, state.skew_at],
        # A run that was stopped and armed again goes on as if it had not been, but for rules that ask since when.
        "armed": state.armed_at if "run.armed_for" in state.reads else None,
        "books": [
            None if each is MISSING else each
            for each in (state.reconcile.clean, state.reconcile.differences, state.clock.skew)
        ],
        "counted": [state.ticks, state.run.errors],
    }
