"""A condition as native code, to be asked at many moments.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, c_int64
from typing import Final

from llvmlite import ir

from mqk.dsl import Expr
from mqk.dsl import emit_llvm as emitted
from mqk.dsl.emit_llvm_layout import Layout
from mqk.dsl.emit_python import Rule
from mqk.dsl.evaluate import Lookup
from mqk.dsl.native import Native

UNDECIDED: Final = "undecided"


class InNative:
    """One condition, compiled."""

    def __init__(self, expr: Expr) -> None:
        self._layout = Layout()
        module = ir.Module()
        emitted.emit_native(module, "judge", [Rule(expr)], None, self._layout)
        self._native = Native(module)
        self._judge = CFUNCTYPE(c_int64, POINTER(c_int64), POINTER(c_int64))(self._native.address("judge"))
        self._answer = (c_int64 * emitted.words_of(1))()

    def at(self, moment: Lookup) -> bool | str | None:
        """True, false, None for an error, or that native code leaves the moment to Python."""
        buffer = self._layout.buffer()
        if not self._layout.fill(buffer, moment) or self._judge(buffer, self._answer) == emitted.UNDECIDED:
            return UNDECIDED
        broken, error = self._answer
        assert not (broken and error)
        return None if error else not broken
