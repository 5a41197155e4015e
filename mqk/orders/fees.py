"""What a broker takes for an order: an amount an order, an amount a share, a part of what was traded, within bounds.

Integers once the model is built, rounded up; what a fill costs beside its fee (spread, slippage) is costs.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from mqk.orders.errors import OrderError
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping


class FeeModel:
    """The commission of an order, in micros.

    `per_order` and `per_share` are in micros, `rate` is the part of the value traded; their sum is rounded up to a
    micro, and is at least `minimum` and at most `maximum` micros an order (None: without end). An order that fills in
    several parts is charged once: the fee is that of all its fills together.

    Raises OrderError "ratio" for an amount or a part below zero, a rate above one, or a minimum above the maximum.
    """

    __slots__ = ("_bottom", "_top", "flat", "maximum", "minimum", "per_order", "per_share")

    def __init__(
        self,
        per_order: int = 0,
        per_share: int = 0,
        rate: int | Fraction = 0,
        minimum: int = 0,
        maximum: int | None = None,
    ) -> None:
        amounts = {"commission": per_order, "fee a share": per_share, "minimum": minimum}
        for name, amount in (amounts if maximum is None else amounts | {"maximum": maximum}).items():
            if type(amount) is not int or not 0 <= amount <= INT64_MAX:
                raise OrderError("ratio", f"`{name}` is zero or more whole micros, found `{amount}`")
        # Above one, a seller would be left with more for selling lower.
        if type(rate) not in {int, Fraction} or not 0 <= rate <= 1:
            raise OrderError("ratio", f"`rate` is an exact ratio between zero and one, found `{rate}`")
        if maximum is not None and minimum > maximum:
            raise OrderError("ratio", f"the minimum of `{minimum}` micros is above the maximum of `{maximum}`")
        self.per_order, self.per_share = per_order, per_share
        self.minimum, self.maximum = minimum, maximum
        self._top, self._bottom = Fraction(rate).numerator, Fraction(rate).denominator
        # What every order costs, whatever it trades; None when that depends.
        depends = per_share or rate
        self.flat = None if depends else self._bounded(per_order)

    def of(self, qty: int, value: int) -> int:
        """The fee of an order that has traded so many shares for so many micros in all, none for one without a fill."""
        if not qty:
            return 0
        return self._bounded(self.per_order + self.per_share * qty - -self._top * value // self._bottom)

    def parameters(self) -> Mapping[str, str]:
        """The model in exact text, for a manifest: two models that charge alike print alike."""
        return {
            "commission_micros": str(self.per_order),
            "commission_micros_per_share": str(self.per_share),
            "commission_rate": str(Fraction(self._top, self._bottom)),
            "commission_minimum_micros": str(self.minimum),
            "commission_maximum_micros": "none" if self.maximum is None else str(self.maximum),
        }

    def _bounded(self, fee: int) -> int:
        fee = max(fee, self.minimum)
        return fee if self.maximum is None else min(fee, self.maximum)
