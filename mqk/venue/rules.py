"""How a simulated market fills, as an execution policy says: how to read a bar, how much is ours, what goes wrong.

What lives here: the settings as integers, and chance that depends on a seed and an order's id and on nothing else. What
does not: prices (mqk.orders), and what rests at the market (market.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqk.policy import ExecutionPolicy

_DRAWS: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class FillRules:
    """What fills beside the price. The defaults are a market in which every order fills whole, as the policies' are.

    `worst_case` and `through` are the policy's `ambiguity` and `limit`; `participation` is the part of a bar's volume
    that is ours at most, None without end; `rejects` and `partial_fills` the parts of orders and fills that chance
    meets, by `seed`; `linked` says that what an order of a position trades is taken off the others.
    """

    worst_case: bool = True
    through: bool = True
    participation: Fraction | None = None
    seed: int = 0
    rejects: Fraction = Fraction(0)
    partial_fills: Fraction = Fraction(0)
    linked: bool = True

    @classmethod
    def of_policy(cls, policy: ExecutionPolicy) -> FillRules:
        """Build the rules that an execution policy asks for."""
        part, faults = policy.participation, policy.faults
        return cls(
            worst_case=policy.ambiguity == "worst_case",
            through=policy.limit_fill == "through",
            participation=None if part is None else part.value,
            seed=faults.seed,
            rejects=faults.rejects.value,
            partial_fills=faults.partial_fills.value,
            linked=policy.linking == "broker",
        )

    @property
    def whole(self) -> bool:
        """Whether an order that fills always fills whole."""
        return self.participation is None and not self.partial_fills

    def room(self, volume: int) -> int | None:
        """How many shares of a bar of this volume are ours at most, rounded down; None without end."""
        part = self.participation
        return None if part is None else volume * part.numerator // part.denominator

    def rejected(self, order_id: str) -> bool:
        """Whether chance rejects an order."""
        return bool(self.rejects) and self._draw(order_id, "reject") < self.rejects * _DRAWS

    def part(self, order_id: str, fill: int, qty: int) -> int:
        """How many of `qty` shares an order's n-th fill is made of: all of them, unless chance leaves some over."""
        if not self.partial_fills or qty < 2:
            return qty
        if self._draw(order_id, f"part {fill}") >= self.partial_fills * _DRAWS:
            return qty
        return 1 + self._draw(order_id, f"size {fill}") % (qty - 1)

    def _draw(self, order_id: str, what: str) -> int:
        """A number below 2**64, the same for the same seed, order and purpose in every process.

        An order is the same in every run that its engine makes it in, backtest or not: the run's own name, between the
        engine's and the number, says nothing here.
        """
        engine, *run_and_number = order_id.rsplit("_", 2)
        text = "\n".join([str(self.seed), engine, *run_and_number[1:], what]).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8])


WHOLE: Final = FillRules()
