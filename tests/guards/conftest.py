"""The shipped policies, compiled once for all guard tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqk.guards import GuardSet, compile_bundle
from mqk.policy import PolicySet, effective_bundle, load_policies

SHIPPED = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    """Every shipped document."""
    return load_policies([SHIPPED])


@pytest.fixture(scope="session")
def main(policies: PolicySet) -> GuardSet:
    """The guards of MAIN."""
    return compile_bundle(effective_bundle(policies, "MAIN"))


@pytest.fixture(scope="session")
def exp(policies: PolicySet) -> GuardSet:
    """The guards of EXP."""
    return compile_bundle(effective_bundle(policies, "EXP"))
