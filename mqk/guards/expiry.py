"""What was granted for a while, while a guard is at work: past its end nothing is allowed by it any more.

What lives here: the clock's part in waivers and in leaves to loosen. What does not: which of them are in force when an
engine is bound (mqk.policy).

A waiver counts before its end alone, so that its rule is back by itself. What a layer loosened is limits and rules,
and what lies beneath them is known to whoever binds the engine again: until then no exposure is added. Both are asked
of the moment's own clock, which in a backtest is the market's. Without a clock a waiver does not count.

What is proven of a policy (mqk.analysis) is proven of its waivers as if they held: that is the most they let pass.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from mqk.dsl import check_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.environment import Environment
from mqk.guards.catalogue import facts_at
from mqk.guards.guard import GuardRule
from mqk.guards.points import Enforcement, Point
from mqk.policy import Bundle, WaiverSource
from mqk.quantity import format_date

EXPIRED: Final = "EXPIRED"
"""What decisions call the rule that a leave to loosen leaves behind. No document can name a rule so."""

_CLOCK: Final = "clock.now"
_OUTCOMES: Final = {Point.ORDER: "deny", Point.ACCOUNT: "reduce_only"}


def while_it_holds(waiver: WaiverSource, scope: syntax.Expr, point: Point, environment: Environment) -> syntax.Expr:
    """Where a waiver counts: in its scope, before its end. At a point without a clock nothing is judged later."""
    if _CLOCK not in facts_at(point):
        return scope
    return syntax.Connective(start=0, end=0, op="and", operands=(_before(waiver.end, environment), scope), type=t.BOOL)


def ended(bundle: Bundle, point: Point, environment: Environment) -> list[GuardRule]:
    """The rule that nothing is added to the exposure once the first leave to loosen has ended; none without leaves."""
    if point not in _OUTCOMES or not bundle.loosened:
        return []
    first = min(bundle.loosened, key=lambda each: (each.until, each.target))
    return [
        GuardRule(
            id=EXPIRED,
            title=f"The leave to loosen {first.target} lasts until {format_date(first.until)}: bind the policy again",
            require=_before(first.until, environment),
            when=None,
            outcome=_OUTCOMES[point],
            enforcement=Enforcement.BLOCK,
            gated=point is Point.ORDER,
            confirm=1,
            latch=None,
            span=first.span,
            document=first.document,
        )
    ]


def _before(day: date, environment: Environment) -> syntax.Expr:
    text = f"present({_CLOCK}) and {_CLOCK} < {format_date(day)}T00:00:00Z"
    return check_expression(parse_expression(text), environment, t.BOOL).expr
