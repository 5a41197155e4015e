"""SMA 20/50 as other backtesters do it, each in a process of its own, in an environment that mqk knows nothing of.

What lives here: one function for each peer, run by the interpreter of that environment as `backtesters.py PEER FILE`;
it prints one line of JSON. FILE holds the bars as whole numbers: the number of the symbol, end, open, high, low, close
(micros), in order of ends. What does not: making the environment and the bars (peers_loop.py), or mqk, which is never
imported here.

Only the run is timed, after a first small one where something is compiled at first use. All trade long or flat, five
shares, at the next open; none of them has a guard.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

FAST: Final = 20
SLOW: Final = 50
SHARES: Final = 5
MICROS: Final = 1_000_000

# Seconds of the run, and how many orders were made.
Measured = tuple[float, int]


def frames(table: Any) -> tuple[Any, Any]:
    """The opens and the closes in dollars, a column for each symbol, by time."""
    np, pd = importlib.import_module("numpy"), importlib.import_module("pandas")
    symbols = int(table[:, 0].max()) + 1
    index = pd.DatetimeIndex(table[::symbols, 1].astype("datetime64[us]"))
    names = [f"S{number}" for number in range(symbols)]
    columns = [np.ascontiguousarray(table[:, place].reshape(-1, symbols)) / MICROS for place in (2, 5)]
    return pd.DataFrame(columns[0], index, names), pd.DataFrame(columns[1], index, names)


def vectorbt(table: Any) -> Measured:
    """Vectorised, no guard: signals over whole columns, then one compiled pass over the orders."""
    vbt = importlib.import_module("vectorbt")

    def run(opens: Any, closes: Any) -> Measured:
        start = time.perf_counter()
        fast, slow = vbt.MA.run(closes, FAST, short_name="fast"), vbt.MA.run(closes, SLOW, short_name="slow")
        above, below = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        above.columns = below.columns = opens.columns
        book = vbt.Portfolio.from_signals(
            opens,
            above.shift(1, fill_value=False),
            below.shift(1, fill_value=False),
            size=SHARES,
            price=opens,
            slippage=0.0008,
            init_cash=100_000,
            cash_sharing=True,
            group_by=True,
        )
        orders = int(book.orders.count())
        return time.perf_counter() - start, orders

    opens, closes = frames(table)
    run(opens.iloc[:500], closes.iloc[:500])
    return run(opens, closes)


def backtesting(table: Any) -> Measured:
    """backtesting.py, event by event, one symbol."""
    lib, pd = importlib.import_module("backtesting"), importlib.import_module("pandas")

    def mean(values: Any, length: int) -> Any:
        return pd.Series(values).rolling(length).mean()

    class Crossing(lib.Strategy):  # type: ignore[misc] # nothing is known of it here
        def init(self) -> None:
            self.fast = self.I(mean, self.data.Close, FAST, plot=False)
            self.slow = self.I(mean, self.data.Close, SLOW, plot=False)

        def next(self) -> None:
            above = self.fast[-1] > self.slow[-1]
            if above and not self.position:
                self.buy(size=SHARES)
            elif not above and self.position:
                self.position.close()

    index = pd.DatetimeIndex(table[:, 1].astype("datetime64[us]"))
    prices = {name: table[:, 2 + place] / MICROS for place, name in enumerate(("Open", "High", "Low", "Close"))}
    test = lib.Backtest(pd.DataFrame(prices, index), Crossing, cash=100_000, commission=0.0008)
    start = time.perf_counter()
    found = test.run()
    return time.perf_counter() - start, 2 * int(found["# Trades"])


def nautilus_trader(table: Any) -> Measured:
    """The low-level engine on external bars, its risk engine on."""
    n = "nautilus_trader"
    engines, config = importlib.import_module(f"{n}.backtest.engine"), importlib.import_module(f"{n}.config")
    data, enums = importlib.import_module(f"{n}.model.data"), importlib.import_module(f"{n}.model.enums")
    names, objects = importlib.import_module(f"{n}.model.identifiers"), importlib.import_module(f"{n}.model.objects")
    providers = importlib.import_module(f"{n}.test_kit.providers")
    strategies = importlib.import_module(f"{n}.trading.strategy")
    quiet = config.LoggingConfig(bypass_logging=True)
    engine = engines.BacktestEngine(config=engines.BacktestEngineConfig(logging=quiet))
    venue = names.Venue("XNAS")
    usd = importlib.import_module(f"{n}.model.currencies").USD
    engine.add_venue(venue, enums.OmsType.NETTING, enums.AccountType.MARGIN, [objects.Money(100_000_000, usd)], usd)
    symbols = int(table[:, 0].max()) + 1
    kinds = []
    for number in range(symbols):
        share = providers.TestInstrumentProvider.equity(symbol=f"S{number}", venue="XNAS")
        engine.add_instrument(share)
        kind = data.BarType.from_str(f"{share.id}-1-MINUTE-LAST-EXTERNAL")
        kinds.append((share, kind))
    bars = []
    volume = objects.Quantity.from_int(1_000_000)
    for row in table.tolist():
        prices = [objects.Price(each / MICROS, 2) for each in row[2:6]]
        low, high = min(prices), max(prices)
        bars.append(data.Bar(kinds[row[0]][1], prices[0], high, low, prices[3], volume, row[1] * 1_000, row[1] * 1_000))

    class Crossing(strategies.Strategy):  # type: ignore[misc] # nothing is known of it here
        def on_start(self) -> None:
            self.made = 0
            self.closes = {kind: deque(maxlen=SLOW) for _, kind in kinds}
            self.sums = {kind: [0.0, 0.0, False] for _, kind in kinds}
            self.shares = {kind: share for share, kind in kinds}
            for _, kind in kinds:
                self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:
            closes, sums, close = self.closes[bar.bar_type], self.sums[bar.bar_type], float(bar.close)
            if len(closes) == SLOW:
                sums[1] -= closes[0]
            if len(closes) >= FAST:
                sums[0] -= closes[-FAST]
            closes.append(close)
            sums[0] += close
            sums[1] += close
            above = sums[0] / FAST > sums[1] / SLOW
            if len(closes) == SLOW and above != sums[2]:
                sums[2] = above
                share = self.shares[bar.bar_type]
                side = enums.OrderSide.BUY if above else enums.OrderSide.SELL
                self.made += 1
                self.submit_order(self.order_factory.market(share.id, side, share.make_qty(Decimal(SHARES))))

    strategy = Crossing()
    engine.add_strategy(strategy)
    engine.add_data(bars)
    start = time.perf_counter()
    engine.run()
    return time.perf_counter() - start, strategy.made


def hftbacktest(table: Any) -> Measured:
    """Compiled event by event, four events of the book for each bar; one symbol."""
    np, hft, numba = (importlib.import_module(name) for name in ("numpy", "hftbacktest", "numba"))
    minute = 60_000_000_000

    def events(rows: Any) -> Any:
        made = np.zeros(len(rows) * 4, hft.event_dtype)
        both = hft.EXCH_EVENT | hft.LOCAL_EVENT | hft.DEPTH_EVENT
        begin = rows[:, 1] * 1_000 - minute + 1_000
        for place, price, at in ((0, 2, begin), (2, 5, rows[:, 1] * 1_000 - 1_000)):
            ticks = np.round(rows[:, price] / 10_000)
            for half, (side, off) in enumerate(((hft.BUY_EVENT, 0), (hft.SELL_EVENT, 1))):
                part = made[place + half :: 4]
                part["ev"], part["px"], part["qty"] = both | side, (ticks + off) / 100, 1e6
                part["exch_ts"] = part["local_ts"] = at
        return made

    @numba.njit  # type: ignore[misc] # nothing is known of it here
    def crossing(test: Any, count: int) -> int:
        closes = np.zeros(count)
        fast = slow = 0.0
        orders, was, n = 0, False, 0
        while n < count and test.elapse(minute) == 0:
            depth = test.depth(0)
            close = (depth.best_bid + depth.best_ask) / 2
            closes[n] = close
            fast += close
            slow += close
            if n >= FAST:
                fast -= closes[n - FAST]
            if n >= SLOW:
                slow -= closes[n - SLOW]
            n += 1
            above = fast / FAST > slow / SLOW
            if n >= SLOW and above != was:
                was = above
                orders += 1
                test.clear_inactive_orders(0)
                if above:
                    test.submit_buy_order(0, orders, depth.best_ask + 1, SHARES, hft.GTC, hft.MARKET, False)
                else:
                    test.submit_sell_order(0, orders, depth.best_bid - 1, SHARES, hft.GTC, hft.MARKET, False)
        return orders

    def run(rows: Any) -> Measured:
        # As if no night were between sessions: what passes between two bars is a minute.
        rows = rows.copy()
        rows[:, 1] = rows[0, 1] + np.arange(len(rows)) * 60 * MICROS
        # The array is read where it lies: it is kept for as long as the test runs.
        made = events(rows)
        asset = (
            hft.BacktestAsset()
            .data([made])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(0.01)
            .lot_size(1.0)
            .roi_lb(0.0)
            .roi_ub(1_000.0)
            .last_trades_capacity(0)
        )
        test = hft.ROIVectorMarketDepthBacktest([asset])
        start = time.perf_counter()
        orders = crossing(test, len(rows))
        taken = time.perf_counter() - start
        test.close()
        return taken, int(orders)

    run(table[:2_000])
    return run(table)


PEERS: Final[dict[str, Callable[[Any], Measured]]] = {
    "vectorbt": vectorbt,
    "hftbacktest": hftbacktest,
    "backtesting": backtesting,
    "nautilus_trader": nautilus_trader,
}


def main() -> None:
    """Run one peer on the bars of a file and print what it took."""
    table = importlib.import_module("numpy").load(sys.argv[2])
    seconds, orders = PEERS[sys.argv[1]](table)
    # Beside this file, and found there by whoever runs it as a program.
    megabytes = importlib.import_module("memory").peak_megabytes()
    print(json.dumps({"seconds": seconds, "bars": len(table), "orders": orders, "megabytes": megabytes}))


if __name__ == "__main__":
    main()
