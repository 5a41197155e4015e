"""The same sixteen rules on one order: mqk against rules by hand and against the engines people know.

What lives here: each candidate's spelling of the rules, and their timing in one process, interleaved. All take the same
whole numbers and do the arithmetic in their own language. Peers that are not installed are left out. Every
candidate must allow the ordinary order and deny it once a limit is broken, or the run stops.
"""

from __future__ import annotations

import importlib
import json
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqk.guards import Point, compile_bundle, read_facts
from mqk.policy import effective_bundle, load_policies

ROUNDS: Final = 9
FOLDER: Final = Path(__file__).parent / "sixteen"
USD: Final = 1_000_000

# What every peer is given: whole numbers, micros for money and time.
ORDINARY: Final[Mapping[str, Any]] = {
    "killed": False,
    "open": True,
    "age": 5 * USD,
    "qty": 10,
    "price": 470_120_000,
    "last": 470_000_000,
    "symbol": "SPY",
    "working": 0,
    "cash": 100_000 * USD,
    "gross": 0,
    "held": 0,
    "buys": 0,
    "sells": 0,
    "equity": 100_000 * USD,
    "day_start": 100_000 * USD,
    "peak": 101_000 * USD,
    "day_trades": 1,
    "rejects": 0,
}
# One per rule: the change that breaks it and no limit of the others' own.
BREAKING: Final[tuple[Mapping[str, Any], ...]] = (
    {"killed": True},
    {"open": False},
    {"age": 121 * USD},
    {"qty": 0},
    {"symbol": "GME"},
    {"qty": 1_001, "price": 1_000_000, "last": 1_000_000},
    {"qty": 107, "last": 470_000_000},
    {"price": 494_000_000},
    {"cash": 4_000 * USD},
    {"gross": 96_000 * USD},
    {"held": 43},
    {"sells": 1},
    {"day_start": 102_041 * USD, "peak": 102_041 * USD},
    {"peak": 122_000 * USD},
    {"equity": 24_990 * USD, "day_start": 24_990 * USD, "peak": 24_990 * USD, "day_trades": 4},
    {"rejects": 5},
)
RESTRICTED: Final = ("GME", "AMC", "DJT")
# `{in}` and the logical words differ from language to language; everything else is spelt alike.
RULES: Final = (
    "{not}killed",
    "open",
    "age <= 120000000",
    "qty >= 1 {and} price > 0",
    "{restricted}",
    "qty <= 1000",
    "qty * price <= 50000000000",
    "price * 100 <= last * 105 {and} price * 100 >= last * 95",
    "qty * price + working <= cash",
    "gross + qty * price <= 100000000000",
    "(held + buys + qty) * last * 100 <= equity * 20",
    "held - sells >= 0",
    "(day_start - equity) * 100 < day_start * 2",
    "(peak - equity) * 100 < peak * 18",
    "equity >= 25000000000 {or} day_trades < 4",
    "rejects < 5",
)
_PYTHON: Final = {"not": "not ", "and": "and", "or": "or", "restricted": "symbol not in ('GME', 'AMC', 'DJT')"}
_CEL: Final = {"not": "!", "and": "&&", "or": "||", "restricted": "!(symbol in ['GME', 'AMC', 'DJT'])"}
_ZEN: Final = {"not": "not ", "and": "and", "or": "or", "restricted": "symbol not in ['GME', 'AMC', 'DJT']"}

Judge = Callable[[Mapping[str, Any]], bool]
Prepare = Callable[[Mapping[str, Any]], Callable[[], bool]]


@dataclass(frozen=True)
class Row:
    """One candidate: nanoseconds for an order that passes and for one that the eighth rule denies, and the ratio."""

    name: str
    allowed: float
    denied: float
    ratio: float


class Context:
    """What the rules by hand read: one slotted object, as a careful person would hold it."""

    __slots__ = tuple(ORDINARY)

    def __init__(self, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            setattr(self, name, value)


def by_hand(o):  # type: ignore[no-untyped-def]
    """All sixteen rules, a bit for each that fails: what mqk's guard answers too."""
    qty, price, last, equity = o.qty, o.price, o.last, o.equity
    mask = 0
    if o.killed:
        mask |= 1
    if not o.open:
        mask |= 2
    if o.age > 120_000_000:
        mask |= 4
    if qty < 1 or price <= 0:
        mask |= 8
    if o.symbol in {"GME", "AMC", "DJT"}:
        mask |= 16
    if qty > 1_000:
        mask |= 32
    notional = qty * price
    if notional > 50_000_000_000:
        mask |= 64
    if abs(price - last) * 20 > last:
        mask |= 128
    if notional + o.working > o.cash:
        mask |= 256
    if o.gross + notional > 100_000_000_000:
        mask |= 512
    held = o.held
    if (held + o.buys + qty) * last * 5 > equity:
        mask |= 1024
    if held - o.sells < 0:
        mask |= 2048
    day_start, peak = o.day_start, o.peak
    if (day_start - equity) * 50 >= day_start:
        mask |= 4096
    if (peak - equity) * 50 >= peak * 9:
        mask |= 8192
    if equity < 25_000_000_000 and o.day_trades >= 4:
        mask |= 16384
    if o.rejects >= 5:
        mask |= 32768
    return mask


def _spelt(words: Mapping[str, str]) -> list[str]:
    found = []
    for rule in RULES:
        text = rule
        for word, spelling in words.items():
            text = text.replace("{" + word + "}", spelling)
        found.append(text)
    return found


def _hand() -> Prepare:
    def prepare(facts: Mapping[str, Any]) -> Callable[[], bool]:
        context = Context(facts)
        return lambda: by_hand(context) == 0

    return prepare


def _mqk() -> Prepare:
    shipped = Path(__file__).parents[2] / "policies"
    paths = [FOLDER, *(shipped / name for name in ("integrity", "execution", "schedule", "lifecycle"))]
    guards = compile_bundle(effective_bundle(load_policies(paths), "BENCH"))
    guard = guards.order

    def prepare(facts: Mapping[str, Any]) -> Callable[[], bool]:
        document = {
            "run.killed": facts["killed"],
            "session.open": facts["open"],
            "market.age": f"{facts['age']}us",
            "order.qty": facts["qty"],
            "order.worst_price": _usd(facts["price"]),
            "market.price": _usd(facts["last"]),
            "order.symbol": facts["symbol"],
            "account.working_buy_value": _usd(facts["working"]),
            "account.cash": _usd(facts["cash"]),
            "account.gross_exposure": _usd(facts["gross"]),
            "position.qty": facts["held"],
            "position.working_buy": facts["buys"],
            "position.working_sell": facts["sells"],
            "account.equity": _usd(facts["equity"]),
            "account.day_start_equity": _usd(facts["day_start"]),
            "account.peak_equity": _usd(facts["peak"]),
            "count(day_trades within 5 business_days)": facts["day_trades"],
            "count(rejects within 300s)": facts["rejects"],
        }
        moment = read_facts(document, guards, Point.ORDER)
        if moment.problems:
            raise AssertionError(moment.problems)
        views = tuple(moment.views[name] for name in guard.parameters)
        judge = guard.judge
        return lambda: judge(*views) == 0

    return prepare


def _usd(micros: int) -> str:
    return f"{micros / USD:.6f} USD"


def _each(programs: list[Callable[[Mapping[str, Any]], Any]]) -> Prepare:
    return lambda facts: lambda: all(program(facts) for program in programs)


def _zen() -> Prepare:
    zen = importlib.import_module("zen")
    program = zen.compile_expression(" and ".join(f"({rule})" for rule in _spelt(_ZEN)))
    return lambda facts: lambda: program.evaluate(facts) is True


def _cel_google() -> Prepare:
    cel = importlib.import_module("cel_expr_python.cel")
    kinds = {bool: cel.Type.BOOL, int: cel.Type.INT, str: cel.Type.STRING}
    env = cel.NewEnv(variables={name: kinds[type(value)] for name, value in ORDINARY.items()})
    program = env.compile(" && ".join(f"({rule})" for rule in _spelt(_CEL)))
    return lambda facts: lambda: program.eval(data=facts).value() is True


def _cel_rust() -> Prepare:
    cel = importlib.import_module("cel")
    program = cel.compile(" && ".join(f"({rule})" for rule in _spelt(_CEL)))
    return lambda facts: lambda: program.execute(facts) is True


def _evalidate() -> Prepare:
    evalidate = importlib.import_module("evalidate")
    model = evalidate.base_eval_model.clone()
    model.nodes.extend(["Mult", "NotIn", "In", "Tuple", "Not", "UnaryOp"])
    rules = [evalidate.Expr(rule, model=model) for rule in _spelt(_PYTHON)]
    return lambda facts: lambda: all(rule.eval(None, facts) for rule in rules)


def _simpleeval() -> Prepare:
    simpleeval = importlib.import_module("simpleeval")
    rules = _spelt(_PYTHON)

    def prepare(facts: Mapping[str, Any]) -> Callable[[], bool]:
        engine = simpleeval.EvalWithCompoundTypes(names=dict(facts))
        parsed = [engine.parse(rule) for rule in rules]
        pairs = list(zip(rules, parsed, strict=True))
        return lambda: all(engine.eval(rule, previously_parsed=tree) for rule, tree in pairs)

    return prepare


def _rule_engine() -> Prepare:
    rule_engine = importlib.import_module("rule_engine")
    words = {**_PYTHON, "restricted": "not (symbol in ['GME', 'AMC', 'DJT'])"}
    return _each([rule_engine.Rule(rule).matches for rule in _spelt(words)])


def _cedar() -> Prepare:
    cedarpy = importlib.import_module("cedarpy")
    names = sorted(ORDINARY, key=len, reverse=True)
    rules = []
    for rule in _spelt({**_CEL, "restricted": '!(["GME", "AMC", "DJT"].contains(symbol))'}):
        text = rule
        for name in names:
            text = _renamed(text, name)
        rules.append(f"forbid(principal, action, resource) unless {{ {text} }};")
    policies = cedarpy.PolicySet.from_str("\n".join(["permit(principal, action, resource);", *rules]))

    def prepare(facts: Mapping[str, Any]) -> Callable[[], bool]:
        request = {
            "principal": 'Engine::"MAIN"',
            "action": 'Action::"place"',
            "resource": 'Account::"A"',
            "context": dict(facts),
        }
        allow = cedarpy.Decision.Allow
        return lambda: cedarpy.is_authorized(request, policies, []).decision == allow

    return prepare


def _renamed(text: str, name: str, record: str = "context") -> str:
    """A fact's name as a field of the record that Cedar and Rego are given."""
    return re.sub(rf"(?<![\w.\"]){name}(?![\w\"])", f"{record}.{name}", text)


def _rego() -> Prepare:
    regopy = importlib.import_module("regopy")
    lines = []
    words = {"not": "not ", "and": ";", "or": "||", "restricted": 'not symbol in {"GME", "AMC", "DJT"}'}
    for number, rule in enumerate(_spelt(words)):
        text = rule
        for name in sorted(ORDINARY, key=len, reverse=True):
            text = _renamed(text, name, "input")
        # Rego has no `or`: a rule with two ways to pass is written twice.
        lines += [f"passed contains {number} if {{ {way} }}" for way in text.split(" || ")]
    module = "package mqk\nimport rego.v1\n" + "\n".join(lines) + "\nallow if count(passed) == 16\n"
    interpreter = regopy.Interpreter()
    interpreter.add_module("sixteen", module)
    bundle = interpreter.build("data.mqk.allow", ["mqk/allow"])

    def prepare(facts: Mapping[str, Any]) -> Callable[[], bool]:
        text = json.dumps(dict(facts))

        def judge() -> bool:
            interpreter.set_input_term(text)
            # A rule that does not hold leaves the answer undefined, which is no JSON.
            return str(interpreter.query_bundle(bundle)) == '{"expressions":[true]}'

        return judge

    return prepare


CANDIDATES: Final[Mapping[str, tuple[Callable[[], Prepare], int]]] = {
    "by hand, Python": (_hand, 20_000),
    "mqk, every rule judged": (_mqk, 20_000),
    "zen-engine, one expression": (_zen, 2_000),
    "cel-expr-python (C++), one expression": (_cel_google, 2_000),
    "common-expression-language (Rust), one expression": (_cel_rust, 2_000),
    "evalidate, sixteen expressions": (_evalidate, 2_000),
    "simpleeval, sixteen expressions": (_simpleeval, 300),
    "cedarpy, a prepared policy set": (_cedar, 300),
    "rule-engine, sixteen rules": (_rule_engine, 100),
    "regopy, a prepared bundle": (_rego, 100),
}


def measure() -> list[Row]:
    """Time every candidate that is installed."""
    prepared: dict[str, tuple[Callable[[], bool], Callable[[], bool], int]] = {}
    for name, (make, calls) in CANDIDATES.items():
        try:
            prepare = make()
        except ImportError:
            continue
        allow = prepare(ORDINARY)
        denials = [prepare({**ORDINARY, **change}) for change in BREAKING]
        if not allow():
            raise AssertionError(f"{name} does not allow the ordinary order")
        for number, deny in enumerate(denials, 1):
            if deny():
                raise AssertionError(f"{name} lets rule {number} be broken")
        prepared[name] = (allow, denials[7], calls)
    timings: dict[str, list[tuple[float, float]]] = {name: [] for name in prepared}
    for _ in range(ROUNDS):
        for name, (allow, deny, calls) in prepared.items():
            timings[name].append((_time(allow, calls), _time(deny, calls)))
    hand = [allowed for allowed, _ in timings["by hand, Python"]]
    return [
        Row(
            name,
            statistics.median(allowed for allowed, _ in taken),
            statistics.median(denied for _, denied in taken),
            statistics.median(a / b for (a, _), b in zip(taken, hand, strict=True)),
        )
        for name, taken in timings.items()
    ]


def _time(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls
