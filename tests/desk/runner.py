"""A composite action run as a runner runs it: each step by bash, with its environment, its files and its outputs.

Only as much of GitHub's expressions is known as the action uses: anything else fails the test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Ended:
    """How a run of an action ended: the step that failed (None: none did), what was printed, its outputs."""

    failed: str | None
    printed: str
    outputs: dict[str, str]
    summary: str


@dataclass
class Runner:
    """Runs the action in a folder, in the workspace of a repository; `github` holds what `github.x` stands for."""

    action: Path
    workspace: Path
    temporary: Path
    github: Mapping[str, str]
    environment: Mapping[str, str]
    steps: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, **given: str) -> Ended:
        """Run all steps until one fails."""
        document = yaml.safe_load((self.action / "action.yml").read_text("utf-8"))
        assert document["runs"]["using"] == "composite"
        inputs = {name: self._filled(each.get("default", ""), {}) for name, each in document["inputs"].items()}
        inputs |= {name.replace("_", "-"): value for name, value in given.items()}
        self.steps = {}
        printed, failed = "", None
        summary = self.temporary / "summary.md"
        summary.write_text("", "utf-8")
        for number, step in enumerate(document["runs"]["steps"]):
            assert step.keys() <= {"name", "id", "shell", "env", "run"}, "the runner here knows no more"
            output = self.temporary / f"output-{number}"
            output.write_text("", "utf-8")
            env = {name: self._filled(value, inputs) for name, value in step.get("env", {}).items()}
            ended = self._bash(step["run"], env | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)})
            printed += ended.stdout + ended.stderr
            if "id" in step:
                told = (line.partition("=") for line in output.read_text("utf-8").splitlines())
                self.steps[step["id"]] = {name: value for name, _, value in told}
            if ended.returncode:
                failed = step["name"]
                break
        outputs = {name: self._filled(each["value"], inputs) for name, each in document["outputs"].items()}
        return Ended(failed, printed, outputs, summary.read_text("utf-8"))

    def _bash(self, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        file = self.temporary / "step.sh"
        file.write_text(script, "utf-8")
        base = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.temporary),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_ACTION_PATH": str(self.action),
        }
        # As GitHub has it for `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)]
        return subprocess.run(
            command,
            cwd=self.workspace,
            env={**base, **self.environment, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def _filled(self, text: Any, inputs: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            context, _, name = found[1].strip().partition(".")
            if context == "inputs":
                return inputs[name]
            if context == "github":
                return self.github[name]
            step, _, output = name.partition(".outputs.")
            assert context == "steps"
            return self.steps.get(step, {}).get(output, "")

        return re.sub(r"\$\{\{(.*?)\}\}", value, str(text))
