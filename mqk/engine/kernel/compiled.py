"""The kernel of one policy: its guards and the loop in one native module, or the reason why there is none.

What lives here: putting the module together, and what the loop's functions are provided with. What does not: the memory
that a run works on (memory.py), and the loop.
"""

from __future__ import annotations

import ast
from ctypes import CFUNCTYPE, POINTER, c_int64
from typing import TYPE_CHECKING, Any, Final

from mqk.dsl import FactRef
from mqk.dsl.emit_llvm import emit_native, words_of
from mqk.dsl.emit_llvm_layout import MISSING, USABLE, Layout
from mqk.dsl.lower import Lowered, lower, told_by_table
from mqk.dsl.missing import MISSING as NOT_THERE
from mqk.dsl.native import Native, available
from mqk.dsl.types import Kind
from mqk.engine.figures import names_read
from mqk.engine.kernel import account, box, filling, loop, moments, opening, placing, stretch, worst
from mqk.engine.kernel.places import MONEY_MOST, PRICE_MOST, SHARES_MOST, STREAMS
from mqk.engine.leeway import MOVING, MOVING_FIELDS, worst_case
from mqk.guards import Enforcement, Point
from mqk.guards.catalogue import collections_at, facts_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mqk.guards import GuardSet

# The points that are judged in the loop, in the order in which they are compiled.
POINTS: Final = (Point.BAR, Point.ACCOUNT, Point.ORDER)
# Rules of orders that one word of bits holds.
RULES_MOST: Final = 64
# Facts that stay what they are for as long as nothing unusual happens.
CONSTANT: Final[Mapping[str, Any]] = {
    "run.mode": "BACKTEST",
    "run.state": "RUNNING",
    "run.posture": "NORMAL",
    "run.killed": False,
    "run.errors": 0,
    "order.type": "MARKET",
    "order.tif": "DAY",
    "order.limit_price": NOT_THERE,
    "order.stop_price": NOT_THERE,
    "clock.skew": NOT_THERE,
    "reconcile.clean": NOT_THERE,
    "reconcile.age": NOT_THERE,
    "reconcile.differences": NOT_THERE,
    "bar.received": NOT_THERE,
    "bar.other_close": NOT_THERE,
}
# What is known of a bar that follows another: facts that are the same for all, and those that it tells itself.
_PLAIN: Final = {"bar.complete": 1, "bar.missing": 0}
_TOLD: Final = ("symbol", "open", "high", "low", "close", "volume", "end", "before", "close_before")
_SCANNED: Final = {
    **{f"bar.{name}": name for name in _TOLD[:7]},
    "bar.previous_end": "before",
    "bar.previous_close": "close_before",
    # It is judged when it ends: the clock is never behind it, and nothing but bars moves it.
    "clock.now": "end",
}
_FUNCTIONS: Final = (
    account.tell_time,
    account.advance,
    account.show_window,
    account.record,
    account.enter,
    account.value,
    account.expose,
    account.mind,
    account.mark,
    account.show_time,
    account.show_account,
    account.show_nets,
    account.show_sides,
    account.show_margin,
    account.average,
    account.show_positions,
    account.judge_account,
    worst.against,
    worst.costs,
    worst.way_out,
    worst.close_out,
    worst.dearest,
    box.settle,
    box.fits,
    box.surround,
    box.exposure_at,
    placing.alike,
    placing.show_order,
    placing.average_of,
    placing.judge_order,
    moments.keep,
    placing.place,
    placing.work,
    placing.size,
    placing.order,
    placing.aim,
    placing.bring_about,
    placing.answer,
    placing.unwind,
    placing.leave,
    placing.judge_again,
    filling.fill_price,
    filling.take_off,
    filling.match,
    filling.fill,
    filling.count,
    stretch.passes,
    stretch.scan,
    stretch.look_ahead,
    stretch.gather,
    stretch.one,
    stretch.many,
    stretch.catch_up,
    stretch.wanted_at,
    stretch.pass_on,
    stretch.pass_over,
    opening.symbol_of,
    opening.start_of,
    opening.fill_bar,
    opening.fill_open,
    loop.judge_bar,
    loop.take_in,
    loop.begin,
    loop.finish,
    loop.bounded,
    loop.play,
)
_COLLECTIONS: Final = frozenset({"positions"})
_PRICES: Final = frozenset(
    {"order.worst_price", "market.price", "market.range", "position.working_buy_price", "position.working_sell_price"}
)
# What is worked out when an order is judged, and at no other time.
_OF_ORDERS: Final = frozenset({"account.working_fees", "account.close_out_costs"})
_BOUNDS: Final = {Kind.MONEY: MONEY_MOST, Kind.QUANTITY: PRICE_MOST, Kind.COUNT: PRICE_MOST, Kind.BOOL: 1}
_LONG: Final = 2**61
# What moves within a box, by its ends.
_ENDS: Final = ("low", "high")
_MOVING: Final = {
    f"{view}_{end}.{name}": f"{view}.{name}" for end in _ENDS for view, name in (each.split(".") for each in MOVING)
}
_MORE: Final = {"positions": {f"{name}_{end}": name for end in _ENDS for name in MOVING_FIELDS}}


class Kernel:
    """A compiled kernel. `refusal` says why a policy has none, before anything is compiled for long."""

    def __init__(self, guards: GuardSet) -> None:
        from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

        self.guards = guards
        self.layout = Layout(bounds=_bounds(guards), fixed=_fixed(), certain=_certain(guards), more=_MORE)
        self.shown: set[str] = set()
        self._buffers: dict[str, Any] = {}
        module = ir.Module()
        for point in POINTS:
            guard = guards.guards[point]
            emit_native(module, f"guard_{point.value}", guard.compiled, guard.gate, self.layout, guard.index)
        worst = worst_case(guards)
        self._settles = worst is not None
        emit_native(module, "guard_leeway", worst or [], None, self.layout)
        self._deny = sum(
            1 << bit
            for bit, rule in enumerate(guards.order.rules)
            if rule.enforcement is Enforcement.BLOCK and rule.outcome == "deny"
        )
        # The windows of the engine have a place each, whether a rule of these points reads them or not.
        for spec in guards.windows:
            self.layout.window(spec.slot)
        self._bars = Layout(self.layout.words, self.layout.bounds, {**_fixed(), **_PLAIN}, frozenset(_SCANNED))
        bars = guards.bar
        emit_native(module, "guard_plain", bars.compiled, bars.gate, self._bars, bars.index)
        module.globals["guard_plain"].attributes.add("alwaysinline")
        left = self._bars.facts.keys() - _SCANNED.keys() - self._bars.fixed.keys()
        self._scans = not (left or self._bars.windows or self._bars.collections)
        self._provide(module)
        told_by_table(module, "go_on", "play")
        for function in module.functions:
            # Nobody outside calls it: what is compiled into its callers is compiled once.
            if function.blocks and function.name not in ("go_on", "bounded"):
                function.linkage = "internal"
        self._native = Native(module)
        pointer = POINTER(c_int64)
        # `play`, its memory told by a table: the memory of the run, the facts, the answer, and the columns and wants.
        self.play: Any = CFUNCTYPE(c_int64, pointer, c_int64, c_int64)(self._native.address("go_on"))
        self.bounded: Any = CFUNCTYPE(c_int64, pointer, c_int64)(self._native.address("bounded"))
        self.answer = (c_int64 * max(words_of(len(guards.guards[point].rules)) for point in POINTS))()

    @staticmethod
    def refusal(guards: GuardSet) -> str | None:
        """Why there is no kernel for a policy; None when there is one."""
        if not available():
            return "llvmlite is not installed: it comes with the extra `native`"
        if len(guards.order.rules) > RULES_MOST:
            return f"there are more than {RULES_MOST} rules of orders"
        if names_read(guards.account) & _OF_ORDERS:
            return "a rule of the account asks what closing out costs"
        streams = sorted({spec.stream for spec in guards.windows} - set(STREAMS))
        if streams:
            return f"nothing counts `{streams[0]}` in native code"
        return None

    def unsupplied(self) -> list[str]:
        """The facts that rules read and the loop does not supply: with any of them, there is no run."""
        known = self.shown | CONSTANT.keys() | {"bar.timeframe"}
        return sorted((self.layout.facts.keys() - known) | (self.layout.collections.keys() - _COLLECTIONS))

    def buffer(self, timeframe: str) -> Any:
        """The facts before the first bar: what never changes, and nothing of what is still to come."""
        if timeframe not in self._buffers:
            self._buffers[timeframe] = self._fresh(timeframe)
        return type(self._buffers[timeframe]).from_buffer_copy(self._buffers[timeframe])

    def _fresh(self, timeframe: str) -> Any:
        facts = self.layout.buffer()
        constants = {**CONSTANT, "bar.timeframe": timeframe}
        for name, (place, _) in self.layout.facts.items():
            value = constants.get(name, 0)
            facts[2 * place + 1] = MISSING if value is NOT_THERE else USABLE
            if value is not NOT_THERE:
                facts[2 * place] = self.layout.word(value) if isinstance(value, str) else int(value)
        for place in self.layout.windows.values():
            facts[2 * place + 1] = USABLE
        for rows in self.layout.collections.values():
            facts[2 * rows.count + 1] = USABLE
            for place in range(rows.first, rows.first + rows.ref.maximum * rows.length):
                facts[2 * place + 1] = USABLE
        return facts

    # -- what the loop's functions are provided with ---------------------------------------------------------------

    def _provide(self, module: Any) -> None:
        lower(
            module,
            _FUNCTIONS,
            {
                "show": self._show,
                "show_given": self._show_given,
                "show_element": self._show_element,
                "given": self._given,
                "show_count": self._show_count,
                "reads": self._reads,
                "guard": self._guard,
                "scans": lambda made, _: made.constant(int(self._scans)),
                "plain": self._plain,
                "settles": lambda made, _: made.constant(int(self._settles)),
                "broken": lambda made, _: _word(made, 0),
                "errors": lambda made, _: _word(made, 1),
                "denies": lambda made, _: made.constant(_signed(self._deny)),
                "side_word": self._side_word,
            },
        )

    def _show(self, made: Lowered, node: ast.Call) -> None:
        name = _text(node.args[1])
        self.shown.add(name)
        if name in self.layout.facts:
            made.store("f", 2 * self.layout.facts[name][0], made.number(node.args[2]))

    def _show_given(self, made: Lowered, node: ast.Call) -> None:
        name = _text(node.args[1])
        self.shown.add(name)
        if name in self.layout.facts:
            place = self.layout.facts[name][0]
            made.store("f", 2 * place, made.number(node.args[3]))
            made.store("f", 2 * place + 1, made.number(node.args[2]))

    def _show_element(self, made: Lowered, node: ast.Call) -> None:
        rows = self.layout.collections.get(_text(node.args[1]))
        if rows is not None and _text(node.args[3]) in rows.read:
            made.builder.store(made.number(node.args[4]), self._field(made, node, 0))

    def _given(self, made: Lowered, node: ast.Call) -> None:
        if _text(node.args[1]) in self.layout.collections:
            made.builder.store(made.number(node.args[4]), self._field(made, node, 1))

    def _field(self, made: Lowered, node: ast.Call, flag: int) -> Any:
        rows = self.layout.collections[_text(node.args[1])]
        place = rows.first + rows.places[_text(node.args[3])]
        row = made.builder.mul(made.number(node.args[2]), made.constant(2 * rows.length))
        return made.builder.gep(made.memory("f"), [made.builder.add(row, made.constant(2 * place + flag))])

    def _show_count(self, made: Lowered, node: ast.Call) -> None:
        rows = self.layout.collections.get(_text(node.args[1]))
        if rows is not None:
            made.store("f", 2 * rows.count, made.number(node.args[2]))

    def _reads(self, made: Lowered, node: ast.Call) -> Any:
        known = self.layout.facts.keys() | self.layout.collections.keys()
        return made.constant(int(any(_text(each) in known for each in node.args)))

    def _guard(self, made: Lowered, node: ast.Call) -> Any:
        return made.call(f"guard_{_text(node.args[0])}", [made.memory("f"), made.memory("a")])

    def _plain(self, made: Lowered, node: ast.Call) -> Any:
        facts, answer = made.room(2 * self._bars.size), made.room(words_of(len(self.guards.bar.rules)))
        told = dict(zip(_TOLD, map(made.number, node.args), strict=True))
        for name, (place, _) in self._bars.facts.items():
            if name in _SCANNED:
                made.builder.store(told[_SCANNED[name]], made.builder.gep(facts, [made.constant(2 * place)]))
        said = made.call("guard_plain", [facts, answer])
        return made.builder.icmp_signed("==", said, made.constant(0))

    def _side_word(self, made: Lowered, node: ast.Call) -> Any:
        sides = [made.constant(self.layout.word(word)) for word in ("BUY", "SELL")]
        return made.builder.select(made.truth(node.args[0]), *sides)


def _text(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def _word(made: Lowered, number: int) -> Any:
    return made.builder.load(made.builder.gep(made.memory("a"), [made.constant(number)]))


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def _fixed() -> dict[str, int | str | None]:
    return {name: None if value is NOT_THERE else value for name, value in CONSTANT.items()}


def _certain(guards: GuardSet) -> frozenset[str]:
    """The facts that the loop always knows: all of its own that are not optional, its windows and its collections."""
    found = {spec.slot for spec in guards.windows} | _COLLECTIONS
    for point in POINTS:
        found |= {
            name for name, entry in facts_at(point).items() if isinstance(entry.ref, FactRef) and not entry.ref.optional
        }
        for name, ref in collections_at(point).items():
            if name in _COLLECTIONS:
                found |= {f"{name}.{field}" for field, each in ref.fields.items() if not each.optional}
                found |= {f"{name}.{field}" for field in _MORE[name]}
    # In the first session's first bar nobody has said yet which session it is.
    return frozenset(found - CONSTANT.keys() - {"clock.time"} | _MOVING.keys())


def _bounds(guards: GuardSet) -> dict[str, tuple[int, int]]:
    """What the loop vouches for, by fact: so that products of facts stay within 64 bits wherever they can."""
    found = {spec.slot: (-MONEY_MOST, MONEY_MOST) for spec in guards.windows}
    for point in POINTS:
        for name, entry in facts_at(point).items():
            most = _BOUNDS.get(entry.type.kind, _LONG)
            if name in ("order.qty", "position.qty", "position.working_buy", "position.working_sell"):
                most = SHARES_MOST
            elif name in _PRICES or name.startswith("bar."):
                most = min(most, PRICE_MOST)
            found[name] = (-most, most)
        for name, ref in collections_at(point).items():
            for field, each in ref.fields.items():
                most = _BOUNDS.get(each.type.kind, _LONG)
                found[f"{name}.{field}"] = (-most, most)
    found |= {name: found[other] for name, other in _MOVING.items()}
    for name, fields in _MORE.items():
        found |= {f"{name}.{field}": found[f"{name}.{other}"] for field, other in fields.items()}
    for name in ("bar.end", "bar.previous_end", "bar.received"):
        found[name] = (-_LONG, _LONG)
    return found
