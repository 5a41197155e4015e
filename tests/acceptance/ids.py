"""The acceptance cases of the original system that concern rules, by family: their numbers and nothing else.

Two catalogues numbered their cases independently, so `INT-01` and `INT-1` are two cases. Each is a test here, is held
by a test elsewhere, or is answered; test_nothing_is_left_out.py sees to it.
"""

from __future__ import annotations

from typing import Final


def _numbered(family: str, numbers: str) -> tuple[str, ...]:
    return tuple(f"{family}-{number}" for number in numbers.split())


FAMILIES: Final = {
    "risk": _numbered("RSK", "01 02 03 05 06 07 09 10 11 13 14 15 17 18 19 21 22"),
    "day trading": _numbered("PDT", "01 03 04 05 08 09 10 12 13"),
    "integrity": (
        *_numbered("INT", "01 03 04 05 07 08 09 11 12 13 15 16 17 19 20 21"),
        *_numbered("INT", "1 2 3 5 6 7 9 10"),
        "ARM-1",
    ),
    "execution": (
        *_numbered("EXE", "01 02"),
        *_numbered("EXE", "1 3 4 5 7 8 9 11"),
        *_numbered("CAP", "1 2 4 5 6"),
        "PRC-02",
    ),
    "gateway": (
        *_numbered("GW", "01 03 04 05 07 08 09 11 12 13"),
        *_numbered("FRS", "01 02 03"),
        *_numbered("IDM", "01 02 03"),
    ),
    "order life": _numbered("OMS", "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22 24 25"),
    "reconciliation": (
        *_numbered("REC", "01 03 04 05 07 08 09 11 12"),
        *_numbered("REC", "1 2 3 5 6 7 9 10"),
        *_numbered("REP", "01 03 04"),
        *_numbered("WM", "01 03 04"),
        *_numbered("GATE", "01 03 04"),
        *_numbered("SNP", "01 03 04 05"),
    ),
    "strategies": _numbered("STR", "01 03 04"),
    "weights": (*_numbered("ALC", "02 03 04 06"), *_numbered("CST", "01 02 04")),
    "books": (
        *_numbered("PF", "01 03 04"),
        *_numbered("LED", "01 03 04 05"),
        *_numbered("CON", "01 02 03 05 06 07"),
        *_numbered("ORD", "01 02 03"),
        *_numbered("MIC", "01 02 03"),
    ),
    "isolation": _numbered("ISO", "01 02 04 05"),
    "configuration": (*_numbered("CFG", "1 2 3 5 6 7 9 10 11 13 14 15 17"), *_numbered("SEC", "1 2 4 5 6 8")),
}
CASES: Final = tuple(case for cases in FAMILIES.values() for case in cases)

# The defects of the original system that rules make impossible here.
DEFECTS: Final = (*range(5, 43), 44, 50)
