"""What changed since the last review, as far as it can be told.

What lives here: the record of changes and of who approved them. What does not: comparing policies
(mqk.analysis.diff), or asking git or a database (mqk.cli).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mqk.analysis.assess.gaps import Gap, Weight

_LOOSER: Final = {
    "LOOSER": "the policies let more pass than at",
    "INCOMPARABLE": "the policies let more pass, and other things less, than at",
    "UNDECIDED": "it is not proven that the policies let no more pass than at",
}


@dataclass(frozen=True, slots=True)
class Review:
    """Changes since the last review.

    `since` is what they were counted from (None: nobody asked), `difference` the comparison as `mqk policy diff` has
    it in JSON, `log` the versions that were approved or activated, `unseen` why either could not be told, and
    `not_active` the engines for which change control has other policies active than those assessed.
    """

    since: str | None = None
    difference: Mapping[str, Any] | None = None
    log: tuple[Mapping[str, Any], ...] | None = None
    unseen: tuple[str, ...] = ()
    not_active: tuple[str, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What deserves a look: changes that could not be seen, and policies that allow more than they did."""
        found = [
            Gap(Weight.LOOK, "changes unseen", "changes", (), why, "give `--since`, with a day or a revision of git")
            for why in self.unseen
        ]
        said = None if self.difference is None else _LOOSER.get(self.difference["verdict"])
        if said is not None:
            help_ = "see that each loosening was approved by those who may"
            found.append(Gap(Weight.LOOK, "loosened", "changes", (), f"{said} {self.since}", help_))
        if self.not_active:
            message = "change control has other policies active than those assessed"
            help_ = "assess what is active (`mqk policy log`), or propose and activate these"
            found.append(Gap(Weight.GAP, "not active", "changes", self.not_active, message, help_))
        return tuple(found)
