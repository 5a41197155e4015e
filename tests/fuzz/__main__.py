"""`make fuzz`: backends of the language, `diff` on pairs of policies, the engine's books against the market."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.backtest.agreeing import MODES, differences
from tests.fuzz.campaign import Tally, campaign, pairs_campaign
from tests.fuzz.pairs import PairTally


def main() -> int:
    """Run one campaign; 1 when backends differ, with the smallest reproductions that were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000, help="pairs of a policy and facts, at least")
    parser.add_argument("--seed", type=int, default=None, help="the campaign's seed (default: another one each time)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-solver", dest="solver", action="store_false", help="leave the solver out")
    parser.add_argument("--diff-pairs", type=int, default=10_000, help="pairs of policies to compare, at least")
    parser.add_argument("--diff", action="store_true", help="compare pairs of policies, and nothing else")
    parser.add_argument("--worlds", type=int, default=100, help="random backtests of each mode to compare books in")
    parser.add_argument("--books", action="store_true", help="compare books and market, and nothing else")
    given = parser.parse_args()
    # The one place where chance enters: it is told, so that the campaign can be run again.
    seed = given.seed if given.seed is not None else int.from_bytes(os.urandom(4), "big")
    failed = not given.diff and not given.books and _backends(given, seed)
    failed |= given.diff_pairs > 0 and not given.books and _diffs(given, seed)
    failed |= given.worlds > 0 and not given.diff and _books(given, seed)
    return 1 if failed else 0


def _backends(given: argparse.Namespace, seed: int) -> bool:
    """All backends on pairs of a policy and facts; whether they differ."""
    backends = "interpreter, generated Python, native code" + (", solver" if given.solver else "")
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
    return bool(total.found)


def _diffs(given: argparse.Namespace, seed: int) -> bool:
    """Verdicts on pairs of policies, judged again at sampled moments; whether any is wrong."""
    sys.stdout.write(f"seed {seed}: pairs of policies, {given.processes} processes\n")
    begun = time.monotonic()
    shown: list[str] = []

    def told(tally: PairTally) -> None:
        for wrong in tally.found[len(shown) :]:
            shown.append(wrong)
            sys.stdout.write(f"\n{wrong}\n")
            sys.stdout.flush()
        rate = tally.pairs / (time.monotonic() - begun)
        sys.stderr.write(f"\r{tally.pairs:,} pairs of policies, {rate:,.1f} a second, {len(tally.found)} wrong ")
        sys.stderr.flush()

    total = pairs_campaign(given.diff_pairs, seed, given.processes, told=told)
    sys.stderr.write("\n")
    ending = "verdicts are wrong" if total.found else "no verdict is wrong"
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(total.verdicts.items()))
    sys.stdout.write(
        f"{total.pairs:,} pairs of policies at {total.moments:,} moments in {time.monotonic() - begun:,.0f} s: "
        f"{verdicts}; {total.flipped:,} seen to flip, {ending}\n"
    )
    return bool(total.found)


def _books(given: argparse.Namespace, seed: int) -> bool:
    """The engine's books and the simulated market in random backtests; whether they differ."""
    sys.stdout.write(f"seed {seed}: books and market, {given.processes} processes\n")
    begun = time.monotonic()
    worlds = [(seed + number, mode) for number in range(given.worlds) for mode in MODES]
    wrong = 0
    with ProcessPoolExecutor(given.processes) as pool:
        for number, told in enumerate(pool.map(differences, worlds, chunksize=4), 1):
            if told:
                wrong += 1
                sys.stdout.write(f"\n{told}\n")
                sys.stdout.flush()
            rate = number / (time.monotonic() - begun)
            sys.stderr.write(f"\r{number:,} backtests, {rate:,.1f} a second, {wrong} with differences ")
            sys.stderr.flush()
    ending = f"{wrong} with differences" if wrong else "all agree"
    sys.stdout.write(f"\n{len(worlds):,} backtests in {time.monotonic() - begun:,.0f} s: {ending}\n")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
