"""All that an engine remembers between two events, and the views its guards read, kept up to date change by change.

What lives here: the figures and the bookkeeping that moves them. What does not: judging and deciding (step.py and the
modules beside it), and the outside world: nothing here reads a clock, a file, a database or chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine.digest import digest
from mqk.engine.figures import ALWAYS, FIGURES, PLANNED, figures, names_read
from mqk.engine.lines import Line
from mqk.engine.linkage import put as put_linked
from mqk.engine.recording import Recording
from mqk.engine.trades import Trades
from mqk.engine.windows import WindowCounts
from mqk.engine.worst import rank
from mqk.guards import Enforcement, LatchBook, outside, views
from mqk.guards.catalogue import VIEWS
from mqk.guards.points import POSTURE_OF, Point
from mqk.orders import CostModel, Order, OrderMachine, Side
from mqk.portfolio import Ledger
from mqk.strategies import Context, StrategyHost

if TYPE_CHECKING:
    from collections.abc import Collection

    from mqk.engine.brackets import Bracket
    from mqk.engine.leeway import Leeway
    from mqk.engine.linkage import Group
    from mqk.guards import Guard, GuardSet
    from mqk.guards.views import Windows
    from mqk.market import Bar, SessionPlan
    from mqk.strategies import HostWindow


ARMED: Final = ("ARMED", "RUNNING")


class EngineState:
    """One engine in one run. Only `step` and the gate change it.

    `run_id` goes into the ids of orders; `mode` is what a fill is worth (`BACKTEST`, `PAPER`, `LIVE`; the engine's own
    when left out); `run_state` is where the run is in its lifecycle. With `explain`, every order carries the full
    decision that allowed it, for a price of some 0.1 ms an order. With `record`, `recording` keeps every decision about
    an order, and all others that are news, as columns.

    Raises StrategyError when the bundle's strategies cannot be set up, PolicyError when it has no lifecycle `order`.
    """

    __slots__ = (
        "account",
        "account_bits",
        "account_figures",
        "account_mask",
        "account_settled",
        "account_views",
        "armed_at",
        "arrived",
        "aside",
        "bad_bars",
        "bar",
        "bar_figures",
        "bundle_sha256",
        "cancel_asked",
        "clock",
        "context",
        "costs",
        "deadline",
        "deny_bits",
        "engine",
        "explain",
        "exposed",
        "feed",
        "feed_figures",
        "feed_mask",
        "firm",
        "flattening",
        "fresh",
        "gate_figures",
        "groups",
        "guarded",
        "guards",
        "held_positions",
        "histories",
        "hold_bits",
        "host",
        "judge_account",
        "judge_bar",
        "judge_order",
        "latches",
        "ledger",
        "leeway",
        "lines",
        "machine",
        "margin",
        "market",
        "next_plan",
        "now",
        "order",
        "order_figures",
        "order_views",
        "orders",
        "other_engines",
        "placed",
        "plan",
        "position",
        "reads",
        "reconcile",
        "reconciled_at",
        "recording",
        "refused",
        "reject_bits",
        "remembers_orders",
        "run",
        "run_id",
        "sequence",
        "session",
        "skew_at",
        "ticks",
        "trades",
        "trading_day",
        "windows",
        "working",
        "working_orders",
        "worst_prices",
    )

    lines: dict[str, Line]
    histories: dict[str, HostWindow]
    leeway: Leeway | None
    fresh: Order | None
    """In a backtest, the order that was judged last, while nothing has happened since."""
    # Orders of one parent, by it; the lines of which a position is or will be guarded, and those that wait for a stop.
    groups: dict[str, Group]
    guarded: dict[str, Line]
    exposed: dict[str, Bracket]

    def __init__(
        self,
        guards: GuardSet,
        *,
        run_id: str,
        mode: str | None = None,
        run_state: str = "RUNNING",
        explain: bool = False,
        record: bool = False,
        host: StrategyHost | None = None,
    ) -> None:
        bundle = guards.bundle
        capital = bundle.capital.micros
        self.guards = guards
        # Asked at every bar, so they are looked up once.
        self.judge_order, self.judge_bar = guards.order.judge, guards.bar.judge
        self.judge_account = guards.account.judge
        # What a mask comes to, as bits: denied orders, refused bars, and what holds after a bar or for the account.
        self.deny_bits = _bits(guards.order, {"deny"})
        self.reject_bits = _bits(guards.bar, {"reject"})
        self.hold_bits = _bits(guards.bar, POSTURE_OF)
        self.account_bits = _bits(guards.account, POSTURE_OF)
        self.engine = bundle.engine
        self.bundle_sha256 = bundle.sha256
        self.run_id = run_id
        self.leeway, self.fresh, self.explain, self.recording = (
            None,
            None,
            explain,
            Recording(guards, run_id) if record else None,
        )
        self.host = host if host is not None else StrategyHost.of(bundle)
        self.costs = CostModel.of_policy(bundle.execution)
        self.machine, self.ledger = OrderMachine.of(guards), Ledger(capital)
        self.lines, self.histories = {}, {}
        self.groups, self.guarded, self.exposed, self.deadline = {}, {}, {}, bundle.execution.stop_within.micros
        # Every order of the run, since a fill may cross a cancel; and those of them that may still fill.
        self.orders: dict[str, Order] = {}
        self.working: dict[str, Order] = {}
        self.worst_prices: dict[str, int] = {}
        # When an order was last asked to be cancelled, while it may still fill.
        self.cancel_asked: dict[str, int] = {}
        # The side and the rules of each symbol's last intent, when it was refused.
        self.refused: dict[str, tuple[Side, int]] = {}
        self.sequence = self.now = 0
        self.session: int | None = None
        # Beside what holds: whether anything of it wants every position closed.
        self.latches, self.flattening = LatchBook(), False
        self.windows = WindowCounts(guards.windows)
        # What the account and the feed guard said last, and the symbols whose last bar broke a rule that may halt.
        self.account_mask = 0
        # Whether the latches say all that the mask leads to, so that the same mask again changes nothing.
        self.account_settled = True
        self.feed_mask = 0
        self.bad_bars: dict[str, int] = {}
        # The bars of this instant that were taken in, while more of them are to come.
        self.arrived: list[tuple[Line, Bar]] = []
        self.context = Context(capital, self.lines)

        self.order, self.position, self.market = views.Order(), views.Position(), views.Market()
        self.bar, self.feed, self.clock = outside.Bar(), outside.Feed(), views.Clock()
        self.trading_day, self.margin, self.firm = views.Session(), views.Margin(), views.Firm()
        self.reconcile = outside.Reconcile()
        self.held_positions, self.working_orders = views.Positions(), views.Working()
        self.clock.now = 0
        self.run = views.Run()
        self.run.mode = bundle.mode if mode is None else mode
        self.run.state = run_state
        self.run.posture = self.latches.posture
        self.run.killed = False
        self.account = _fresh_account(capital)
        self.run.errors = self.run.ticks = 0
        self.trades = Trades()
        # The calendar's word on this session, and on one that is still to be entered.
        self.plan: SessionPlan | None = None
        self.next_plan: SessionPlan | None = None
        self.ticks = 0
        # Since when the run is armed: None while it is not, zero until the clock begins.
        self.armed_at: int | None = 0 if run_state in ARMED else None
        self.reconciled_at: int | None = None
        self.skew_at: int | None = None
        # Equity and gross exposure of the desk's other engines; a backtest has none.
        self.other_engines = (0, 0) if self.run.mode == "BACKTEST" else None
        # When orders were placed, and their ids, by what orders that are the same have in common.
        self.placed: dict[tuple[str, str, int, str, int | None, int | None], list[tuple[int, str]]] = {}
        # The order that is judged as if it were not at work.
        self.aside: Order | None = None
        self._look_into(guards)
        # What the guards take, in their order: made once, because they are asked at every bar.
        self.order_views = tuple(self.shown(Point.ORDER, self.windows.view).values())
        self.account_views = tuple(self.shown(Point.ACCOUNT, self.windows.view).values())

    def _look_into(self, guards: GuardSet) -> None:
        """What has to be worked out before each guard is asked: what it reads, and nothing else."""
        read = {point: names_read(guard) for point, guard in guards.guards.items()}
        self.order_figures, self.account_figures = figures(read[Point.ORDER]), figures(read[Point.ACCOUNT])
        self.bar_figures, self.feed_figures = figures(read[Point.BAR]), figures(read[Point.FEED])
        # At the gate only what its rules read; where moments are kept, all of it before an order is placed.
        self.gate_figures = self.order_figures
        self.remembers_orders = "order.same_age" in read[Point.ORDER]
        if self.keeps_moments:
            # Rules that are still to be written may read any of it.
            self.order_figures, self.remembers_orders = tuple(FIGURES), True
        self.reads = frozenset().union(*read.values())
        """Every fact and collection that any guard reads."""

    # -- figures, each kept by whatever changes it -----------------------------------------------------------------

    def line(self, symbol: str, timeframe: str) -> Line:
        """The line of a symbol, opened by its first bar. Raises StrategyError for a timeframe nobody trades."""
        line = self.lines.get(symbol)
        if line is None:
            self.host.require_timeframe(timeframe)
            line = self.lines[symbol] = Line(symbol, timeframe, *self.host.windows())
            self.histories[symbol] = line.window
        return line

    def mark(self, line: Line, price: int) -> None:
        """Value a symbol at a price from now on. Raises LedgerError, and changes nothing, when it cannot be.

        The peak is left alone: other symbols may still be at the prices of the instant before.
        """
        self.ledger.mark(line.symbol, price)
        line.price = price
        if line.qty or line.working_buy or line.working_sell:
            self.expose(line)
            self.account.equity = self.ledger.equity()

    def value(self) -> None:
        """Bring equity and its peak up to date."""
        account = self.account
        equity = account.equity = self.ledger.equity()
        if equity > account.peak_equity:  # noqa: PLR1730 - on every mark, and `max` takes twice as long
            account.peak_equity = equity

    def expose(self, line: Line) -> None:
        """Bring a symbol's part of the gross exposure up to date."""
        price = line.price
        exposure = line.exposure_at(price) if price is not None else 0
        self.account.gross_exposure += exposure - line.exposure
        line.exposure = exposure

    def book(self, line: Line) -> None:
        """Bring the account up to date after a fill of the symbol."""
        account, ledger = self.account, self.ledger
        line.qty = ledger.qty(line.symbol)
        account.cash = ledger.cash
        account.open_positions = len(ledger.positions)
        self.expose(line)
        self.value()

    def put(self, order: Order) -> None:
        """Hold an order as it is now: its working shares, what its buying costs, and how many orders are at work."""
        name, account = order.client_order_id, self.account
        before = self.orders.get(name)
        change = order.leaves - (0 if before is None else before.leaves)
        self.orders[name] = order
        if order.status.is_final:
            self.working.pop(name, None)
            self.cancel_asked.pop(name, None)
        else:
            self.working[name] = order
        account.working_orders = len(self.working)
        line, worst = self.lines[order.symbol], self.worst_prices[name]
        if order.leg is not None:
            put_linked(self, order)
        elif order.side is Side.BUY:
            line.working_buy += change
            account.working_buy_value += change * worst
        else:
            line.working_sell += change
            account.working_sell_value += change * worst
        if order.status.is_final:
            rank(self, line, order.side)
        elif order.side is Side.BUY:
            line.buy_price = max(line.buy_price, worst)
        else:
            line.sell_price = max(line.sell_price, worst)
        self.expose(line)

    def begin_session(self) -> None:
        """A new session: its losses count from the equity at this moment."""
        self.account.day_start_equity = max(self.account.equity, 0)
        self.trades.begin_session(self)
        plan = self.next_plan
        self.plan = plan if plan is not None and plan.day == self.session else None
        self.windows.enter(self.plan)

    @property
    def keeps_moments(self) -> bool:
        """Whether decisions are kept with everything that was known."""
        return self.explain or self.recording is not None

    @property
    def needs_plans(self) -> bool:
        """Whether any rule reads what only a session's plan can tell, or it is kept for rules that will."""
        return self.keeps_moments or bool(self.reads & PLANNED) or self.windows.needs_sessions

    def plan_session(self, plan: SessionPlan) -> None:
        """Take in the calendar's word on a session; it counts once the session is entered."""
        self.next_plan = plan
        if plan.day == self.session:
            self.plan = plan
            self.windows.enter(plan)

    def show_all(self) -> None:
        """Work out every figure of the account, the run and the session, for a guard that is asked from outside."""
        for figure in figures(ALWAYS):
            figure(self)

    # -- what the guards are shown ---------------------------------------------------------------------------------

    def shown(self, point: Point, windows: Windows) -> dict[str, object]:
        """The views that the guard of orders or of the account takes, by name and in its order."""
        views_of = {
            "order": self.order,
            "position": self.position,
            "market": self.market,
            "account": self.account,
            "run": self.run,
            "clock": self.clock,
            "windows": windows,
            "session": self.trading_day,
            "margin": self.margin,
            "firm": self.firm,
            "reconcile": self.reconcile,
            "positions": self.held_positions,
            "working": self.working_orders,
        }
        return {name: views_of[name] for name in VIEWS[point]}

    # -- what it amounts to ----------------------------------------------------------------------------------------

    def digest(self) -> str:
        """SHA-256 of everything that decisions can depend on: two engines with one digest go on alike."""
        return digest(self)

    def working_of(self, symbol: str, side: Side | None = None) -> list[Order]:
        """The orders of a symbol that may still fill, oldest first, of one side when asked."""
        return [o for o in self.working.values() if o.symbol == symbol and side in (None, o.side)]


def _fresh_account(capital: int) -> views.Account:
    """An account that has its capital and nothing else."""
    account = views.Account()
    account.equity = account.cash = account.day_start_equity = account.peak_equity = capital
    account.gross_exposure = account.working_buy_value = account.working_sell_value = account.working_fees = 0
    account.working_orders = account.open_positions = account.opening_positions = account.close_out_costs = 0
    account.realised_today = account.losing_streak = 0
    return account


def _bits(guard: Guard, outcomes: Collection[str]) -> int:
    """The bits of the rules that block with one of these outcomes."""
    return sum(
        1 << bit
        for bit, rule in enumerate(guard.rules)
        if rule.enforcement is Enforcement.BLOCK and rule.outcome in outcomes
    )
