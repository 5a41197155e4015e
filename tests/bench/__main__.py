"""`make bench`: what mqk costs, as ratios against named peers in the same run. Never a test: it judges nothing."""

from __future__ import annotations

import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import arrays, backtest, check, diff, growth, guard, history, lookahead, loop, peers, peers_loop, scale

POLICIES = Path(__file__).parents[2] / "policies"
SCHEMAS = Path(__file__).parents[2] / "schemas"


def main() -> None:
    """Measure everything and print the tables."""
    console = Console()
    console.print(
        f"Python {platform.python_version()}, {platform.machine()}; medians of {guard.ROUNDS} interleaved rounds"
    )
    table = Table("one order, allowed, all MAIN order rules", "ns per call", "ratio to rules by hand", box=None)
    for row in guard.measure(POLICIES):
        table.add_row(row.name, f"{row.nanoseconds:,.0f}", f"{row.ratio:.2f}x")
    console.print(table)
    table = Table("one order, the same sixteen rules", "ns allowed", "ns denied", "ratio to by hand", box=None)
    for peer in peers.measure():
        table.add_row(peer.name, f"{peer.allowed:,.0f}", f"{peer.denied:,.0f}", f"{peer.ratio:.2f}x")
    console.print(table)
    table = Table(
        "order rules, ten for each symbol", "ns per call", "ratio to ten rules", "seconds to compile", box=None
    )
    for size in scale.measure(POLICIES):
        table.add_row(f"{size.rules:,}", f"{size.nanoseconds:,.0f}", f"{size.ratio:.2f}x", f"{size.seconds:.1f}")
    console.print(table)
    table = Table("backtest of MAIN, all guards on", "bars", "bars per second", "orders", "denied", box=None)
    for speed in backtest.measure(POLICIES):
        name = f"{speed.symbols} symbol{'s' if speed.symbols > 1 else ''}"
        table.add_row(name, f"{speed.bars:,}", f"{speed.bars_per_second:,.0f}", str(speed.orders), str(speed.denied))
    console.print(table)
    table = Table("SMA 20/50 on one-minute bars", "bars per second", "ratio", "peak MB", "orders", "denied", box=None)
    rates = loop.measure(POLICIES)
    bare = {int(rate.name.split(" ")[0]): rate.bars_per_second for rate in rates if rate.ratio == 1.0}
    for rate in [*rates, *peers_loop.measure(bare)]:
        figures = (f"{rate.bars_per_second:,.0f}", f"{rate.ratio:.2f}x", f"{rate.megabytes:,}")
        table.add_row(rate.name, *figures, f"{rate.orders:,}", f"{rate.denied:,}")
    console.print(table)
    titles = ("bars per second", "compiling s", "columns s", "peak MB", "orders", "denied")
    table = Table("SMA 20/50 in arrays, compiled, all guards of MAIN on", *titles, box=None)
    for played in arrays.measure(POLICIES):
        paid = (f"{played.compiling:.2f}", f"{played.reading:.2f}", f"{played.megabytes:,}")
        table.add_row(played.name, f"{played.bars_per_second:,.0f}", *paid, f"{played.orders:,}", f"{played.denied:,}")
    console.print(table)
    table = Table("cost of a bar of MAIN", "ns per bar", "ratio", "orders", box=None)
    for grown in growth.measure(POLICIES):
        table.add_row(grown.name, f"{grown.nanoseconds:,.0f}", f"{grown.ratio:.2f}x", f"{grown.orders:,}")
    console.print(table)
    table = Table(
        "recorded decisions judged again, eight rules", "decisions", "seconds", "ratio", "flips", "MB", box=None
    )
    for judged in history.measure(POLICIES):
        figures = (f"{judged.decisions:,}", f"{judged.seconds:.2f}", f"{judged.ratio:.2f}x", f"{judged.flips:,}")
        table.add_row(judged.name, *figures, f"{judged.peak_megabytes:,}")
    console.print(table)
    table = Table("policies checked, from a cold start", "seconds", box=None)
    for checked in check.measure(POLICIES, SCHEMAS):
        table.add_row(checked.name, f"{checked.seconds:.2f}")
    console.print(table)
    table = Table("policies compared", "seconds", "changed rules", box=None)
    for cost in diff.measure(POLICIES):
        table.add_row(cost.name, f"{cost.seconds:.2f}", str(cost.pairs))
    console.print(table)
    rate = lookahead.measure()
    table = Table("look-ahead prover, seeded strategies", "found", "of", "beyond running", "seconds", box=None)
    table.add_row("leaks", str(rate.found), str(len(rate.leaks)), str(len(lookahead.BEYOND)), f"{rate.seconds:.0f}")
    table.add_row("honest ones accused", str(rate.accused), str(len(rate.honest)), "", "")
    console.print(table)


if __name__ == "__main__":
    main()
