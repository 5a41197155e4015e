"""Every diagnostic code has a page; the example on it has that fault and no other, and the mended one has none.

The examples run through the real loader, checker and commands, beside the small desk that some of them refer to.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mqk.cli.checking import check
from mqk.cli.main import main
from mqk.policy import CODES, load_policies, render_text
from mqk.policy.explanations import Explanation, Sample, explain, explanations_dir, full_code

GOLDEN = Path(__file__).with_name("explained.md")
# Says how many of the other faults there are, so it never stands alone.
NEVER_ALONE = {"MQK-1019"}
PAGES = sorted(path.stem for path in explanations_dir().glob("*.md"))
# Described, and not shown: what the solver gives up on differs from machine to machine (1421, 1429), a claim that fails
# is told in its own report (1428), a table too large to check is too large for a page (1232), a signed bundle is too
# long a line (1572), change control needs a database (1575 to 1580), what a change means needs two versions (1530 to
# 1532), and a manifest needs a run (1700).
NOT_SHOWN = {f"MQK-{n}" for n in (1232, 1421, 1428, 1429, *range(1530, 1533), 1572, *range(1575, 1581), 1700)}


def test_there_is_one_page_for_each_code() -> None:
    assert sorted(CODES) == PAGES


def needs_desk(sample: Sample) -> bool:
    return sample.command is not None or any(re.search(rb"\bdesk_|\bDESK\b", text) for text in sample.files.values())


def said_of(sample: Sample, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a person reads of a sample: from the check, or from the command that the page names."""
    for name, text in sample.files.items():
        path = folder / "policies" / name.removeprefix("policies/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    if needs_desk(sample):
        shutil.copytree(explanations_dir() / "desk", folder / "policies" / "desk")
    if sample.command is None:
        checked = check(load_policies([folder / "policies"]))
        return render_text(checked.diagnostics, checked.policies.sources)
    main(sample.command.split()[1:])
    said = capsys.readouterr()
    return said.out + said.err


def faults_in(said: str) -> str:
    """The paragraphs of faults: place, code, message, line, what is underlined, and help.

    Notes are left out, and what the solver found as an instance: of those there are many.
    """
    paragraphs = [part.partition("\n   note: ")[0] for part in said.strip("\n").split("\n\n") if "[MQK-" in part]
    return re.sub(r", as with .*", "", "\n\n".join(paragraphs)) + "\n"


def expected_of(code: str) -> str:
    """What the golden file says of a page's example."""
    found = re.search(rf"^## {code}\n\n(.*?)(?=^## |\Z)", GOLDEN.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return found[1].rstrip("\n") + "\n" if found else ""


@pytest.mark.parametrize("code", sorted(set(PAGES) - NOT_SHOWN))
def test_the_example_of_a_page_has_its_fault_alone_and_the_mend_has_none(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = explain(code)
    for sample, expected in ((page.example, {code}), (page.mend, set[str]())):
        folder = tmp_path / ("mend" if sample is page.mend else "example")
        folder.mkdir()
        monkeypatch.chdir(folder)
        said = said_of(sample, folder, capsys)
        told = set(re.findall(r"(?:error|warning)\[(MQK-\d+)\]", said))
        assert expected <= told if code in NEVER_ALONE else told == expected
        if sample is page.example and code not in NEVER_ALONE:
            assert faults_in(said) == expected_of(code), f"{GOLDEN.name} says what people read of each page's example"


@pytest.mark.parametrize("code", PAGES)
def test_a_page_keeps_the_layout(code: str) -> None:
    page: Explanation = explain(code)
    assert page.text.startswith(f"# {code}: {CODES[code]}\n\n"), "the title line repeats the table of codes"
    assert re.findall("^## .*$", page.text, flags=re.MULTILINE) == ["## Example", "## Mend"]
    assert 40 < len(page.meaning) < 600, "a paragraph that a person reads"
    assert page.meaning.endswith(".")
    assert page.example.files or page.example.command
    assert page.mend.files or page.mend.command
    assert all(len(line) <= 120 for line in page.text.splitlines())


@pytest.mark.parametrize("written", ["MQK-1101", "mqk-1101", "1101", "MQK1101", " mqk_1101 "])
def test_a_code_may_be_written_as_people_write_it(written: str) -> None:
    assert full_code(written) == "MQK-1101"


def test_explain_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "MQK-1101"]) == 0
    assert capsys.readouterr().out == explain("MQK-1101").text


def test_explain_without_a_code_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert re.findall("^MQK-[0-9]+", capsys.readouterr().out, flags=re.MULTILINE) == list(CODES)


def test_an_unknown_code_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "MQK-1119999"]) == 2
    assert "there is no diagnostic `MQK-1119999`" in capsys.readouterr().err
    assert main(["explain", "MQK-110"]) == 2
    assert "help: did you mean `MQK-1" in capsys.readouterr().err
