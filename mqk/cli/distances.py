"""How far a decision is from another one, as text for people.

What lives here: the words. What does not: the search (mqk.analysis.distance).
"""

from __future__ import annotations

from collections.abc import Iterator

from mqk.analysis.distance import Distance, Flip, RuleDistance

_INDENT = " " * 4
_SIZE = "order.qty"


def lines(found: Distance) -> list[str]:
    """What would make each deciding rule pass, a line for each quantity, and what would make all of them."""
    if not found.rules:
        return []
    told = ["  what would change it, all else as it was"]
    for rule in found.rules:
        head, *rest = list(_rule(rule)) or ["no single limit or quantity that it reads makes it pass"]
        told += [f"{_INDENT}{rule.rule}  {head}", *(f"{_INDENT}{' ' * len(rule.rule)}  {each}" for each in rest)]
    return told + ([f"{_INDENT}{_total(found)}"] if found.sized and len(found.rules) > 1 else _then(found))


def _rule(found: RuleDistance) -> Iterator[str]:
    if found.never:
        yield "no size of this order passes"
    elif _SIZE in found.none:
        yield "no smaller size of this order passes"
    yield from (flip_words(each) for each in found.flips)


def flip_words(flip: Flip) -> str:
    """One flip in words: where it passes, and that it does not a step before."""
    if flip.quantity == _SIZE:
        few = "too few" if flip.rises else "too many"
        return f"{flip.apart} {few}: passes at {_shares(flip)}, and not at {flip.fails}"
    bound = "" if flip.apart is None else "at least " if flip.rises else "at most "
    preposition = "of " if bound else ""
    return f"passes with `{flip.quantity}` {preposition}{bound}{flip.passes}, and not {flip.fails}"


def _shares(flip: Flip) -> str:
    worth = "" if flip.worth is None else f" ({flip.worth})"
    return f"{flip.passes} share{'' if flip.passes == '1' else 's'}{worth}"


def _total(found: Distance) -> str:
    if found.size is None:
        if any(rule.never for rule in found.rules):
            return "no size of this order passes all of them"
        return "no smaller size of this order passes all of them"
    return (
        f"all of them pass at {_shares(found.size)}, and not at {found.size.fails}; the order is then {_outcome(found)}"
    )


def _then(found: Distance) -> list[str]:
    return [] if found.size is None else [f"{_INDENT}at {_shares(found.size)} the order is {_outcome(found)}"]


def _outcome(found: Distance) -> str:
    return {"allow": "allowed", "warn": "allowed with a warning", "deny": "denied by other rules"}[
        found.then or "allow"
    ]
