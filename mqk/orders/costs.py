"""What a fill costs in a simulation: spread, slippage and volatility in basis points, always against the trader.

Integers only once the model is built. What a broker takes is fees.py; at which price of a bar an order trades, before
costs, is matching.py.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Final

from mqk.orders.errors import OrderError
from mqk.orders.fees import FeeModel
from mqk.orders.order import Side
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mqk.policy import ExecutionPolicy

_BPS: Final = 10_000
_HIGH: Final = INT64_MAX


class CostModel:
    """The price at which an order fills, given the bar it fills in.

    `spread_bps` and `slippage_bps` are added to `volatility` times the bar's range (high less low, over close) in whole
    basis points, rounded up; the sum never exceeds `cap_bps`. Buys pay that much more than the open, rounded up to a
    micro; sells receive that much less, rounded down, but never below one micro. `commission` is in micros an order;
    `fees` says it all where it depends on what an order trades, and then stands for it.

    Raises OrderError "ratio" for a negative or inexact parameter.
    """

    __slots__ = ("_base", "_cap", "_unit", "_vol_bottom", "_vol_top", "_whole", "commission", "fees")

    def __init__(
        self,
        spread_bps: int | Fraction,
        slippage_bps: int | Fraction,
        volatility: int | Fraction,
        cap_bps: int | Fraction,
        commission: int = 0,
        *,
        fees: FeeModel | None = None,
    ) -> None:
        parts = {"spread": spread_bps, "slippage": slippage_bps, "volatility": volatility, "cap": cap_bps}
        for name, value in parts.items():
            if type(value) not in {int, Fraction} or value < 0:
                raise OrderError("ratio", f"`{name}` is an exact ratio of zero or more, found `{value}`")
        if type(commission) is not int or not 0 <= commission <= _HIGH:
            raise OrderError("ratio", f"`commission` is zero or more whole micros, found `{commission}`")
        base, cap, vol = Fraction(spread_bps) + Fraction(slippage_bps), Fraction(cap_bps), Fraction(volatility)
        # All costs are counted in 1/unit of a basis point, so that 2.5bps needs no Fraction on the way of a fill.
        self._unit = lcm(base.denominator, cap.denominator)
        self._base = int(base * self._unit)
        self._cap = int(cap * self._unit)
        self._whole = _BPS * self._unit
        self._vol_top = _BPS * vol.numerator
        self._vol_bottom = vol.denominator
        self.fees = FeeModel(commission) if fees is None else fees
        self.commission = self.fees.per_order

    @classmethod
    def of_ratios(
        cls, spread: Fraction, slippage: Fraction, volatility: Fraction, cap: Fraction, commission: int = 0
    ) -> CostModel:
        """Build the model from ratios of one (5bps is 1/2000), as an execution policy holds them."""
        return cls(spread * _BPS, slippage * _BPS, volatility, cap * _BPS, commission)

    @classmethod
    def of_policy(cls, policy: ExecutionPolicy) -> CostModel:
        """Build the model that an execution policy asks for."""
        least, most = policy.commission_minimum, policy.commission_maximum
        fees = FeeModel(
            policy.commission_per_order.micros,
            policy.commission_per_share.micros,
            policy.commission_rate.value,
            least.micros,
            None if most is None else most.micros,
        )
        spread, slippage, cap = (each.value * _BPS for each in (policy.spread, policy.slippage, policy.cap))
        return cls(spread, slippage, policy.volatility.value, cap, fees=fees)

    def parameters(self) -> Mapping[str, str]:
        """The model in exact text, for a manifest: two models that price alike print alike."""
        return {
            "cost_bps": str(Fraction(self._base, self._unit)),
            "cap_bps": str(Fraction(self._cap, self._unit)),
            "volatility": str(Fraction(self._vol_top, _BPS * self._vol_bottom)),
            **self.fees.parameters(),
        }

    def effective_bps(self, high: int, low: int, close: int) -> Fraction:
        """What a fill in a bar of this high, low and close costs, in basis points of the open. For reports."""
        return Fraction(self._effective(high, low, close), self._unit)

    def fill_price(self, side: Side, open_: int, high: int, low: int, close: int) -> int:
        """The price in micros at which a market order fills in this bar (micros, above zero, high not below low).

        Raises OrderError "price" for a bar that is none, "overflow" for a price of more than 64 bits.
        """
        if not 0 < low <= high or close <= 0 or open_ <= 0:
            raise OrderError("price", f"no bar has open `{open_}`, high `{high}`, low `{low}` and close `{close}`")
        return self._against(side, open_, self._effective(high, low, close))

    def worst_price(self, side: Side, reference: int) -> int:
        """The worst price in micros a fill can cost when the open is `reference`: with the whole cap against it.

        Raises OrderError "price" for a reference of zero or less, "overflow" for a price of more than 64 bits.
        """
        if reference <= 0:
            raise OrderError("price", f"a price is above zero, found `{reference}`")
        return self._against(side, reference, self._cap)

    def _effective(self, high: int, low: int, close: int) -> int:
        """The cost in 1/unit basis points; the volatility part is rounded up to a whole basis point."""
        cost = self._base
        if self._vol_top and high != low:
            cost -= -(high - low) * self._vol_top // (close * self._vol_bottom) * self._unit
        return min(cost, self._cap)

    def _against(self, side: Side, price: int, cost: int) -> int:
        whole = self._whole
        if side is Side.BUY:
            worse = -(-price * (whole + cost) // whole)
            if worse > _HIGH:
                raise OrderError("overflow", "the price of the fill would not fit in 64 bits")
            return worse
        worse = price * (whole - cost) // whole
        return worse if worse > 0 else 1
