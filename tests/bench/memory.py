"""How much memory a process of a benchmark has held at most.

What lives here: one figure. The usual one of the operating system is kept over the start of another program, so that a
small process started by a large one would seem large too.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def peak_megabytes() -> int:
    """The most memory that this process has held, in megabytes; with that of its parent where there is no `/proc`."""
    if _STATUS.exists():
        held = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text("ascii"), re.MULTILINE)
        if held is not None:
            return int(held[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
