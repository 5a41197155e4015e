"""Cost of one guard call: the shipped MAIN order rules, generated, against the same rules by hand and two engines.

All candidates judge the same order in one process, interleaved, so that the machine's mood falls on all alike. The
peers get their arithmetic in their own language and answer one yes or no; ours also says which rules failed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mqk.guards import Moment, Point, compile_bundle, read_facts
from mqk.policy import effective_bundle, load_policies

ROUNDS, CALLS = 15, 20_000


@dataclass(frozen=True)
class Row:
    """One candidate's median cost of a call, and its ratio to the hand-written rules."""

    name: str
    nanoseconds: float
    ratio: float


def by_hand(  # type: ignore[no-untyped-def]
    order,
    position,
    market,
    account,
    run,
    clock,  # noqa: ARG001 - it takes what the guard takes
    windows,  # noqa: ARG001
    session,  # noqa: ARG001
    margin,  # noqa: ARG001
    firm,  # noqa: ARG001
    positions,  # noqa: ARG001
    working,  # noqa: ARG001
):
    """The MAIN order rules as a careful person would write them: every rule judged, a bit for each that fails."""
    side = order.side
    qty = order.qty
    price = order.worst_price
    equity = account.equity
    held = position.qty
    buys = position.working_buy
    sells = position.working_sell
    mask = 0
    if qty < 1:
        mask |= 64
    if side == "BUY":
        reduces = held < 0 and buys + qty <= -held
        highest, lowest = held + buys + qty, held - sells
    else:
        reduces = held > 0 and sells + qty <= held
        highest, lowest = held + buys, held - sells - qty
    if reduces:
        return mask
    last = market.price
    longs = max(0, highest) * max(last, position.working_buy_price, price if side == "BUY" else 0)
    shorts = max(0, -lowest) * max(last, position.working_sell_price, price if side == "SELL" else 0)
    largest = max(longs, shorts)
    equity -= account.close_out_costs + order.costs
    gross = account.gross_exposure - position.exposure + largest
    if run.killed:
        mask |= 16
    if run.posture != "NORMAL":
        mask |= 1024
    if price <= 0 or market.price <= 0:
        mask |= 128
    if order.symbol not in {"SPY", "QQQ", "AAPL", "AMZN", "GOOG", "IBM", "JPM", "MSFT", "NVDA"}:
        mask |= 256
    if lowest < 0:
        mask |= 512
    if largest * 5 > equity:
        mask |= 1
    if gross > equity:
        mask |= 2
    if gross > equity:
        mask |= 4
    if side == "BUY" and account.working_buy_value + qty * price > account.cash - account.working_fees - order.fees:
        mask |= 8
    return mask


_CEL = (
    "qty >= 1 && (reduces || (!killed && posture == 'NORMAL' && worst > 0 && last > 0 && symbol in universe"
    " && lowest >= 0 && largest * 5 <= left && gross - exposure + largest <= left"
    " && (side != 'BUY' || working_value + qty * worst <= cash - fees)))"
)
_ZEN = (
    "qty >= 1 and (reduces or (not killed and posture == 'NORMAL' and worst > 0 and last > 0 and symbol in universe"
    " and lowest >= 0 and largest * 5 <= left and gross - exposure + largest <= left"
    " and (side != 'BUY' or working_value + qty * worst <= cash - fees)))"
)


def _inlined(expression: str, abs_: str) -> str:
    """The derived facts written out, because the peers have no definitions."""
    highest = "(held + buys + (side == 'BUY' ? qty : 0))"
    lowest = "(held - sells - (side == 'SELL' ? qty : 0))"
    reduces = "(side == 'BUY' ? (held < 0 AND buys + qty <= -held) : (held > 0 AND sells + qty <= held))"
    largest = f"({abs_} * (worst >= last ? worst : last))"
    text = expression.replace("largest", largest).replace("reduces", reduces)
    return text.replace("HIGHEST", highest).replace("LOWEST", lowest).replace("lowest", lowest)


def _facts(moment: Moment) -> dict[str, object]:
    order, position, market = (moment.views[name] for name in ("order", "position", "market"))
    account, run = moment.views["account"], moment.views["run"]
    pick = getattr
    return {
        "qty": pick(order, "qty"),
        "side": pick(order, "side"),
        "symbol": pick(order, "symbol"),
        "worst": pick(order, "worst_price"),
        "last": pick(market, "price"),
        "held": pick(position, "qty"),
        "buys": pick(position, "working_buy"),
        "sells": pick(position, "working_sell"),
        "exposure": pick(position, "exposure"),
        "left": pick(account, "equity") - pick(account, "close_out_costs") - pick(order, "costs"),
        "fees": pick(account, "working_fees") + pick(order, "fees"),
        "cash": pick(account, "cash"),
        "gross": pick(account, "gross_exposure"),
        "working_value": pick(account, "working_buy_value"),
        "killed": pick(run, "killed"),
        "posture": pick(run, "posture"),
        "universe": ["SPY", "QQQ", "AAPL", "AMZN", "GOOG", "IBM", "JPM", "MSFT", "NVDA"],
    }


def _cel(facts: dict[str, object]) -> Callable[[], object] | None:
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - a peer that need not be installed
    except ImportError:
        return None
    kinds = {str: cel.Type.STRING, bool: cel.Type.BOOL, int: cel.Type.INT, list: cel.Type.List(cel.Type.STRING)}
    env = cel.NewEnv(variables={name: kinds[type(value)] for name, value in facts.items()})
    largest = "((HIGHEST >= -(LOWEST) && HIGHEST >= LOWEST) ? HIGHEST : (LOWEST < 0 ? -(LOWEST) : LOWEST))"
    text = _inlined(_CEL, largest).replace(" AND ", " && ")
    program = env.compile(text)
    if program.eval(data=facts).value() is not True:
        raise AssertionError("cel does not allow the order that the guard allows")
    return lambda: program.eval(data=facts)


def _zen(facts: dict[str, object]) -> Callable[[], object] | None:
    try:
        import zen  # noqa: PLC0415 - a peer that need not be installed
    except ImportError:
        return None
    text = _inlined(_ZEN, "max([abs(HIGHEST), abs(LOWEST)])").replace(" AND ", " and ")
    program = zen.compile_expression(text)
    if program.evaluate(facts) is not True:
        raise AssertionError("zen does not allow the order that the guard allows")
    return lambda: program.evaluate(facts)


def measure(policies: Path) -> list[Row]:
    """Time every candidate that is installed."""
    bundle = effective_bundle(load_policies([policies]), "MAIN")
    guards = compile_bundle(bundle)
    baseline = {name: text.text for name, text in bundle.baseline.items()}
    moment = read_facts(baseline, guards, Point.ORDER, lenient=True)
    views = [moment.views[name] for name in guards.order.parameters]
    judge = guards.order.judge
    if judge(*views) != 0 or by_hand(*views) != 0:
        raise AssertionError("the baseline order is not allowed")
    facts = _facts(moment)
    candidates: dict[str, Callable[[], object] | None] = {
        "by hand": lambda: by_hand(*views),
        "mqk, generated": lambda: judge(*views),
        "cel-expr-python, one expression": _cel(facts),
        "zen-engine, one expression": _zen(facts),
    }
    installed = {name: call for name, call in candidates.items() if call is not None}
    timings: dict[str, list[float]] = {name: [] for name in installed}
    for _ in range(ROUNDS):
        for name, call in installed.items():
            timings[name].append(_time({"by hand": by_hand, "mqk": judge}.get(name.split(",")[0]), views, call))
    hand = timings["by hand"]
    return [
        Row(name, statistics.median(taken), statistics.median(a / b for a, b in zip(taken, hand, strict=True)))
        for name, taken in timings.items()
    ]


def _time(function: Callable[..., object] | None, views: list[object], call: Callable[[], object]) -> float:
    if function is not None:
        a, b, c, d, e, f, g, h, i, j, k, m = views
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            function(a, b, c, d, e, f, g, h, i, j, k, m)
        return (time.perf_counter_ns() - start) / CALLS
    start = time.perf_counter_ns()
    for _ in range(CALLS // 10):
        call()
    return (time.perf_counter_ns() - start) / (CALLS // 10)
