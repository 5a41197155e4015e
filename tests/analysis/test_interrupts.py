"""A process in which something was proven is interrupted as before: runs are bound by proofs, and stopped by hand."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from mqk.analysis.tightening import looser
from tests.analysis.worlds import shipped, with_rule


@pytest.mark.usefixtures("interruptible")
def test_a_wait_after_a_proof_is_ended_by_an_interrupt_at_once() -> None:
    bundle = shipped("MAIN")
    assert looser(bundle, with_rule(bundle, "ORD-03", exits_included=False))
    # Without a limit of its own, as a run waits for its end: the kernel takes up other waits again by itself.
    ended = threading.Event()
    too_late = threading.Timer(5, ended.set)
    too_late.start()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            ended.wait()
    finally:
        too_late.cancel()
    assert time.monotonic() - begun < 4
