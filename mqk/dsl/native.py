"""Modules of native code, compiled for this machine in this process; who holds one keeps its functions alive.

What lives here: the compiler's set-up and the way to a function's address. What does not: what the code says.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, final

# One size for all: vectors gain nothing here, and the time to compile is paid on every run.
_EFFORT = 3


@cache
def available() -> bool:
    """Whether there is a compiler: it comes with the extra `native`, and everything works without it, only slower."""
    return find_spec("llvmlite") is not None


@final
class Native:
    """A compiled module. `address` is where a function of it begins, for as long as this object lives."""

    __slots__ = ("_engine",)

    def __init__(self, module: Any) -> None:
        from llvmlite import binding  # noqa: PLC0415 - only who compiles pays for it

        target = _target()
        machine = target.create_target_machine(
            cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=_EFFORT
        )
        module.triple = target.triple
        module.data_layout = str(machine.target_data)
        parsed = binding.parse_assembly(str(module))
        parsed.verify()
        builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=_EFFORT))
        builder.getModulePassManager().run(parsed, builder)
        self._engine = binding.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function begins."""
        return int(self._engine.get_function_address(name))


@cache
def _target() -> Any:
    from llvmlite import binding  # noqa: PLC0415 - only who compiles pays for it

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple()
