"""`make fuzz`: all backends of the language on generated policies and facts, until the pairs are done."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.fuzz.campaign import Tally, campaign


def main() -> int:
    """Run one campaign; 1 when backends differ, with the smallest reproductions that were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000, help="pairs of a policy and facts, at least")
    parser.add_argument("--seed", type=int, default=None, help="the campaign's seed (default: another one each time)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-solver", dest="solver", action="store_false", help="leave the solver out")
    given = parser.parse_args()
    # The one place where chance enters: it is told, so that the campaign can be run again.
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(4), "big")
    backends = "interpreter, generated Python" + (", solver" if given.solver else "")
    sys.stdout.write(f"seed {seed}: {backends}, {given.processes} processes\n")
    begun = time.monotonic()

    def told(tally: Tally) -> None:
        rate = tally.pairs / (time.monotonic() - begun)
        sys.stderr.write(f"\r{tally.pairs:,} pairs, {rate:,.0f} a second, {len(tally.found)} differences ")
        sys.stderr.flush()

    total = campaign(given.pairs, seed, given.processes, solver=given.solver, told=told)
    sys.stderr.write("\n")
    for difference in total.found:
        sys.stdout.write(f"\n{difference.told()}\n")
    sys.stdout.write(
        f"{total.pairs:,} pairs of {total.policies:,} policies in {time.monotonic() - begun:,.0f} s: "
        f"{total.passes:,} pass, {total.errors:,} errors, "
        f"{'all agree' if not total.found else 'backends differ'}\n"
    )
    return 1 if total.found else 0


if __name__ == "__main__":
    sys.exit(main())
