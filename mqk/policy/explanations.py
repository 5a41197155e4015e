"""The explanation pages, one for each diagnostic code: what it means, an example that has the fault, and the mend.

What lives here: finding a page and taking it apart. The pages are `mqk/explanations/*.md`; what codes there are is
codes.py. A block of a page is a file, or several behind lines `# file: NAME`, and perhaps a command to run beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mqk.policy.codes import CODES

_FENCE: Final = re.compile(r"^```(?P<info>[a-z ]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"^# file: (\S+)\n", re.MULTILINE)
_REPEATED: Final = re.compile(r"^(.*)\\\*([0-9]+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """Files by name, and the command that shows the fault; None when `mqk policy check` does."""

    files: Mapping[str, bytes]
    command: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A page: the code, the few words that stand for it, what it means, an example and the mended example."""

    code: str
    title: str
    meaning: str
    example: Sample
    mend: Sample
    advice: str
    text: str


def explanations_dir() -> Path:
    """The folder of the pages; `desk/` in it holds the policies that the examples refer to."""
    return Path(__file__).resolve().parents[1] / "explanations"


def explain(code: str) -> Explanation:
    """The page of a code in CODES. Raises KeyError for any other."""
    if code not in CODES:
        raise KeyError(code)
    return _read((explanations_dir() / f"{code}.md").read_text(encoding="utf-8"))


def full_code(text: str) -> str:
    """The code that a person means by `1101`, `mqk1101` or `MQK-1101`."""
    found = re.fullmatch(r"(?:mqk)?[-_ ]?([0-9]+)", text.strip(), flags=re.IGNORECASE)
    return f"MQK-{found[1]}" if found else text.strip().upper()


def _read(text: str) -> Explanation:
    head, _, rest = text.partition("\n\n## Example\n")
    example, _, mend = rest.partition("\n## Mend\n")
    title, _, meaning = head.partition("\n\n")
    code, _, words = title.removeprefix("# ").partition(": ")
    return Explanation(
        code=code,
        title=words,
        meaning=" ".join(meaning.split()),
        example=_sample(example),
        mend=_sample(mend),
        advice=" ".join(mend.partition("```")[0].split()),
        text=text,
    )


def _sample(text: str) -> Sample:
    files: dict[str, bytes] = {}
    command: str | None = None
    for fence in _FENCE.finditer(text):
        body = fence["body"]
        if fence["info"] == "console":
            command = body.strip().removeprefix("$ ")
            continue
        first, *parts = _FILE.split(body)
        named = dict(zip(parts[::2], parts[1::2], strict=True)) if parts else {"policy.yaml": first}
        escaped = fence["info"] == "yaml escaped"
        files |= {name: _unescaped(part) if escaped else part.encode() for name, part in named.items()}
    return Sample(files, command)


def _unescaped(text: str) -> bytes:
    """The bytes that a block stands for which could not be shown as they are."""
    whole = _REPEATED.sub(lambda line: f"{line[1]}\n" * int(line[2]), text)
    return re.sub(rb"\\x([0-9a-f]{2})", lambda byte: bytes.fromhex(byte[1].decode()), whole.encode())
