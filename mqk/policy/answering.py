"""What can answer an obligation, and the ids in obligations that lead nowhere.

Reading obligations is obligations.py; whether they are answered for an engine is mqk.analysis.assess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mqk.policy.diagnostics import Diagnostic, error, quoted
from mqk.policy.suggest import did_you_mean

if TYPE_CHECKING:
    from mqk.policy.documents import Document

    Versions = Mapping[tuple[str, str], Sequence[Document]]


def answers(rule: str, control: str) -> bool:
    """Whether a rule is what a control is named by: its own id, with a letter behind it where there are several."""
    rest = rule.removeprefix(control)
    return rest != rule and (not rest or (len(rest) == 1 and rest.islower()))


def check_obligations(versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    """Controls and claims that no document has: a slip of the pen would be an answer that is never found.

    Silent where there is no engine, as when one file is checked alone, and where a file could not be read.
    """
    if unread or not any(kind == "engine" for kind, _ in versions):
        return
    documents = [each for same in versions.values() for each in same]
    rules = sorted(_ids(documents, "rules"))
    proofs = sorted(_ids(documents, "claims") | _ids(documents, "invariants"))
    for document in documents:
        for node in document.node.mappings("obligations") if document.kind == "obligation" else ():
            for control in node.scalars("controls"):
                if not any(answers(rule, control.text) for rule in rules):
                    help_ = did_you_mean(control.text, rules) or "write the rule, or leave the control out"
                    yield error("MQK-1620", f"no rule answers the control {quoted(control.text)}", control.span, help_)
            for claim in node.scalars("claims"):
                if claim.text not in proofs:
                    help_ = did_you_mean(claim.text, proofs) or "write the claim, or leave it out"
                    yield error("MQK-1620", f"there is no claim {quoted(claim.text)}", claim.span, help_)


def _ids(documents: Sequence[Document], key: str) -> set[str]:
    found = (node.scalar("id") for document in documents for node in document.node.mappings(key))
    return {each.text for each in found if each is not None}
