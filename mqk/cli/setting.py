"""`--set limits.max_position=25%`: another value for a limit, read as policies are, with the place of every fault.

What lives here: reading them for one engine. What does not: what follows (policy_whatif.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mqk.cli.exits import Failure
from mqk.policy import Bundle, Layer, Limit, LimitValue, Span, did_you_mean
from mqk.policy.values import read_value, type_name, type_tag
from mqk.quantity import Count, Money, QuantityError

OPTION: Final = "--set"
_PREFIX: Final = "limits."


def changed(bundles: Mapping[str, Bundle], settings: Sequence[str]) -> dict[str, Bundle]:
    """Bundles, by engine, with limits set otherwise: each limit in every engine that has it.

    Raises Failure with everything that is wrong with any of the settings, each with its place in what was written.
    """
    found = dict(bundles)
    faults: list[str] = []
    seen: dict[str, str] = {}
    known = sorted({f"{_PREFIX}{name}" for bundle in bundles.values() for name in bundle.limits})
    for written in settings:
        name, equals, text = written.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not text:
            faults.append(_fault(written, f"`{written}` sets nothing", len(written), 1, "write `limits.NAME=VALUE`"))
        elif name not in known:
            close = did_you_mean(name, known) or did_you_mean(_PREFIX + name, known)
            faults.append(_fault(written, f"there is no limit `{name}`", written.index(name), len(name), close))
        elif name in seen:
            faults.append(_fault(written, f"`{name}` is set twice", written.index(name), len(name), "keep one of them"))
        else:
            seen[name] = text
            faults += _set(found, name.removeprefix(_PREFIX), written, text)
    if faults:
        raise Failure("\nerror: ".join(faults))
    return found


def _set(bundles: dict[str, Bundle], name: str, written: str, text: str) -> Iterable[str]:
    """Set a limit in every bundle that has it; what is wrong with the value is told once."""
    for engine, bundle in list(bundles.items()):
        limit = bundle.limits.get(name)
        if limit is None:
            continue
        try:
            value = _read(limit, text)
        except QuantityError as fault:
            at = written.index(text, written.index("="))
            return [_fault(written, fault.message, at, len(text), fault.help or f"it is {type_name(limit.value)} here")]
        place = Span.nowhere(f"{OPTION} {written}")
        layers = (*limit.chain, Layer(OPTION, text, place))
        limits = {**bundle.limits, name: Limit(name, value, text, place, layers)}
        bundles[engine] = replace(bundle, limits=limits)
    return []


def _read(limit: Limit, text: str) -> LimitValue:
    """A value of the kind that a limit has. Raises QuantityError."""
    held = limit.value
    if isinstance(held, tuple):
        members = [each.strip() for each in text.removeprefix("[").removesuffix("]").split(",") if each.strip()]
        return tuple(sorted({str(read_value("word" if _worded(held) else "symbol", each)) for each in members}))
    value = read_value(type_tag(held), text)
    if isinstance(held, Count) and isinstance(value, Count):
        if value.noun is not None and held.noun is not None and value.noun != held.noun:
            raise QuantityError("unit", f"`{text}` counts {value.noun}, and `limits.{limit.name}` counts {held.noun}")
        return Count(value.value, held.noun)
    if isinstance(held, Money) and isinstance(value, Money) and value.currency != held.currency:
        raise QuantityError("unit", f"`{text}` is not in {held.currency}")
    return value


def _worded(members: tuple[str, ...]) -> bool:
    return any("_" in each for each in members)


def _fault(written: str, message: str, at: int, width: int, help_: str | None) -> str:
    head = f"  {OPTION} "
    marked = f"{message}\n{head}{written}\n{' ' * (len(head) + at)}{'^' * width}"
    return marked if help_ is None else f"{marked}\n   help: {help_}"
