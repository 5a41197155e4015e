"""The control catalogue: every rule that ships says why, and is answered for in policies/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mqk.policy import Document, Mapping, load_policies, shipped_policies_dir

README = (shipped_policies_dir() / "README.md").read_text(encoding="utf-8")
FAMILIES = re.compile(r"(?:ORD|RATE|CAP|LOSS|REG|DATA|REC|LIFE|KILL|POSTURE)-\w+")


def rules() -> Iterator[tuple[Document, Mapping]]:
    policies = load_policies([shipped_policies_dir()])
    assert not policies.errors
    for versions in policies.versions.values():
        for document in versions:
            for rule in document.node.mappings("rules"):
                yield document, rule


def test_every_rule_says_why_it_is_there() -> None:
    silent = [f"{each.file}: {rule.scalar('id')}" for each, rule in rules() if rule.scalar("rationale") is None]
    assert silent == []


def test_every_rule_of_a_control_family_stands_in_the_catalogue() -> None:
    """Ranges such as `CAP-01 to CAP-07` stand for all between."""
    named = set(FAMILIES.findall(README))
    for first, last in re.findall(r"([A-Z]+-\d\d) to ([A-Z]+-\d\d)", README):
        family = first.partition("-")[0]
        named |= {f"{family}-{number:02}" for number in range(int(first[-2:]), int(last[-2:]) + 1)}
    ids = {str(id_.text) for _, rule in rules() if (id_ := rule.scalar("id")) is not None}
    assert {each for each in ids if FAMILIES.fullmatch(each)} <= named
