"""How long `mqk policy check` takes, cold, on a desk of 500 policy files; beside it, what their schemas alone cost.

The peer validates the same files against the same JSON Schemas, each file on its own: it knows no layers, no
expressions and no references, and says nothing of what mqk's check is for.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FILES, ENGINES, ROUNDS = 500, 20, 5
_PROFILE = """kind: risk
id: profile_{n}
title: Profile {n}
owner: risk-office
extends: [{below}]
limits:
  max_position: {cap}bps
rules:
  - id: OWN-{n}
    title: No more than so many shares of one order
    at: order
    when: order.side == BUY
    require: order.qty <= {most} and projected.position_value <= limits.max_position of account.equity
    otherwise: deny
"""


@dataclass(frozen=True)
class Checked:
    """What it took in seconds, from nothing to the last diagnostic."""

    name: str
    seconds: float


def desk(policies: Path, folder: Path) -> None:
    """500 files: the shipped policies, profiles three layers deep that extend them, engines that use the topmost."""
    shutil.copytree(policies, folder, ignore=shutil.ignore_patterns("*.test.yaml"))
    engine = (folder / "engines" / "main.yaml").read_text(encoding="utf-8")
    used = engine.partition("  risk: [")[2].partition("]")[0]
    for number in range(ENGINES):
        # Keys and parts of the desk's capital are an engine's own.
        own = "".join(
            line.replace("MAIN_", f"DESK{number}_") for line in engine.splitlines(True) if "allocation:" not in line
        )
        text = own.replace("id: MAIN", f"id: DESK{number}").replace(f"[{used}]", f"[profile_{number * 3 + 2}]")
        (folder / f"engine_{number}.yaml").write_text(text, encoding="utf-8")
    number = 0
    while len(list(folder.rglob("*.yaml"))) < FILES:
        below = used if number % 3 == 0 else f"profile_{number - 1}"
        body = _PROFILE.format(n=number, below=below, cap=1500 - number % 3, most=1000 - number % 3)
        (folder / f"profile_{number}.yaml").write_text(body, encoding="utf-8")
        number += 1


def measure(policies: Path, schemas: Path) -> list[Checked]:
    """The median of several cold runs of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "policies"
        desk(policies, folder)
        scripts = Path(sys.executable).parent
        rules = [str(path) for path in sorted(folder.glob("profile_*.yaml"))]
        schema = str(schemas / "risk.schema.json")
        commands = {
            f"mqk policy check, {FILES} files, {ENGINES + 2} engines": [
                scripts / "mqk",
                "policy",
                "check",
                str(folder),
            ],
            f"check-jsonschema, the {len(rules)} profiles": [
                scripts / "check-jsonschema",
                "--schemafile",
                schema,
                *rules,
            ],
        }
        taken: dict[str, list[float]] = {each: [] for each in commands}
        for _ in range(ROUNDS):
            for each, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                taken[each].append(time.perf_counter() - start)
    return [Checked(each, statistics.median(seconds)) for each, seconds in taken.items()]
