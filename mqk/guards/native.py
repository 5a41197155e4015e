"""Guards as native code: the same bit for every rule as the generated Python, over a flat buffer of facts.

What lives here: a guard compiled for this machine, and asking it about one moment. What does not: the code itself
(mqk.dsl.emit_llvm), and anything that an order costs: filling a buffer from views takes longer than judging in Python,
so that this pays only where the facts lie in buffers already.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, c_int64
from typing import TYPE_CHECKING, Any, Final

from mqk.dsl.emit_llvm import UNDECIDED, WORD, emit_native, words_of
from mqk.dsl.emit_llvm_layout import Layout
from mqk.dsl.native import Native
from mqk.guards.lookup import ViewLookup

if TYPE_CHECKING:
    from ctypes import Array

    from mqk.dsl.evaluate import Lookup
    from mqk.guards.guard import Guard

_FUNCTION: Final = "judge"


class NativeGuard:
    """A guard of one point in native code. `layout` says where in a buffer each fact lies."""

    def __init__(self, guard: Guard, layout: Layout | None = None) -> None:
        from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

        self._guard = guard
        self.layout = layout if layout is not None else Layout()
        module = ir.Module()
        emit_native(module, _FUNCTION, guard.compiled, guard.gate, self.layout, guard.index)
        self._native = Native(module)
        self._answer = (c_int64 * words_of(len(guard.rules)))()
        prototype = CFUNCTYPE(c_int64, POINTER(c_int64), POINTER(c_int64))
        self._judge: Any = prototype(self._native.address(_FUNCTION))

    def results(self, buffer: Array[c_int64]) -> tuple[int, int] | None:
        """The rules that are broken and those that are errors, a bit each; None when it is not decided here."""
        if self._judge(buffer, self._answer) == UNDECIDED:
            return None
        return _bits(self._answer[0::2]), _bits(self._answer[1::2])

    def judge(self, *views: object) -> int:
        """What the guard's own `judge` answers, on the same views; where native code has no say, that one is asked."""
        lookup: Lookup = ViewLookup(dict(zip(self._guard.parameters, views, strict=True)))
        buffer = self.layout.buffer()
        found = self.results(buffer) if self.layout.fill(buffer, lookup) else None
        return self._guard.judge(*views) if found is None else found[0] | found[1]


def _bits(words: list[int]) -> int:
    return sum((word % (1 << WORD)) << (WORD * i) for i, word in enumerate(words))
