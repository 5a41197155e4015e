"""Where the kernel keeps what it remembers: one block of numbers, its places by name.

What lives here: places and marks. What does not: what is done with them (account.py, placing.py, filling.py, loop.py).
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Final

Ints = MutableSequence[int]
"""Memory that holds whole numbers of 64 bits."""

# -- the engine ----------------------------------------------------------------------------------------------------
NOW: Final = 0
SESSION: Final = 1  # the number of the session that was entered last, -1 before the first
ARMED_AT: Final = 2
TICKS: Final = 3
EQUITY: Final = 4
CASH: Final = 5
VALUE: Final = 6  # of all positions, at their last prices
PEAK: Final = 7
DAY_START: Final = 8
REALISED: Final = 9
FEES: Final = 10
REALISED_BEFORE: Final = 11  # realised less fees of all sessions before this one
REALISED_TODAY: Final = 12
STREAK: Final = 13
EXPOSURE: Final = 14
BUY_VALUE: Final = 15
SELL_VALUE: Final = 16
WORKING: Final = 17
OPEN: Final = 18
STOPPED: Final = 19  # why the kernel handed over, zero when it did not
NEXT: Final = 20  # when the next event leaves a window of time
PLACED: Final = 21  # orders that were placed, refused ones not counted
COMMISSION: Final = 22
BASE: Final = 23  # of the cost model, with the four after it
CAP: Final = 24
UNIT: Final = 25
VOLATILITY_TOP: Final = 26
VOLATILITY_BOTTOM: Final = 27
LATENCY: Final = 28
SYMBOLS: Final = 29
ROWS: Final = 30  # rows of orders, refused ones counted
ROWS_MOST: Final = 31
ACTIVE: Final = 32  # orders at the market
LOG_MOST: Final = 33  # events that each stream has room for
WINDOWS: Final = 34
ALIKE_MASK: Final = 35  # one less than the room of the table of orders that are the same, a power of two
# Where the tables begin.
AT_LINES: Final = 36
AT_SESSIONS: Final = 37
AT_WINDOWS: Final = 38
AT_LOGS: Final = 39
AT_ROWS: Final = 40
AT_ALIKE: Final = 41
AT_ACTIVE: Final = 42
AT_FILLS: Final = 43
LOGGED: Final = 44  # how many events each of the streams has, in the places from here on
INSTANT: Final = 52  # the one that is played next, or is being played
BEGUN: Final = 53  # whether it is being played: its bars are in, and answers to them may come
BEFORE: Final = 54  # how many rows of orders there were when it began
WANTED: Final = 55  # how many of the wants that are given have been brought about
WANTS: Final = 56  # how many wants are given
BORROWS: Final = 60  # whether shares that are sold short are paid for
CLOSE_OUT: Final = 57  # what filling all and getting out of it took off equity, when an order was judged last
FILLING: Final = 61  # orders that fill at this instant: off the market, and at work until that is told
STREAMS: Final = ("orders", "cancels", "rejects", "fills", "trades", "day_trades", "results", "losing_trades")
ORDERS_STREAM: Final = 0
FILLS_STREAM: Final = 3
TRADES_STREAM: Final = 4
DAY_TRADES_STREAM: Final = 5
RESULTS_STREAM: Final = 6
LOSING_STREAM: Final = 7
# Moments are kept where somebody writes them down.
KEEPS: Final = 64
AT_MOMENTS: Final = 65
MOMENT: Final = 66  # how long each is
AT_HELD: Final = 67
HELD: Final = 68  # how many holdings of all moments there are, and may be
HELD_MOST: Final = 69
BOX: Final = 72  # whether all rules of the account pass while prices, equity and time stay within these bounds
BOX_LOW: Final = 73  # of equity
BOX_HIGH: Final = 74
BOX_UNTIL: Final = 75
STRETCH: Final = 76  # the instant at which the stretch that was looked at last ends
PLAIN_FROM: Final = 77  # the instants whose bars follow each other and are known to pass every rule of bars
PLAIN_UNTIL: Final = 78
PLAIN_FIRST: Final = 79  # the first bar of the first of them, and how many bars each of them has
PLAIN_WIDTH: Final = 80
AT_GROUP: Final = 81  # the symbols of each of them, then what is held of each, and between which prices
FIRST: Final = 82  # the bars of the instant that is being played, and when it is
STOP: Final = 83
END: Final = 84
PLAIN: Final = 85  # whether that instant is one of those whose bars are known to pass
DENSE: Final = 86  # whether every bar has a target, instead of wants
AT_STREAMS: Final = 87  # for each stream, how many windows it has, and where they are
OPENED: Final = 88  # one more than the last instant of a stretch at whose open orders were filled
BUSY: Final = 89  # symbols that are held, or in which orders work, and the table of their lines
AT_BUSY: Final = 90
SCALARS: Final = 96

# -- a symbol ------------------------------------------------------------------------------------------------------
LINE: Final = 96
QTY: Final = 0
WORKING_BUY: Final = 1
WORKING_SELL: Final = 2
BUYS: Final = 3  # buy orders at work
SELLS: Final = 4
PRICE: Final = 5
LINE_EXPOSURE: Final = 6
PREVIOUS_END: Final = 7
PREVIOUS_CLOSE: Final = 8
SEEN: Final = 9  # bars that were used; the symbol is known from its first on
BAR_SESSION: Final = 10
SESSION_LOW: Final = 11
SESSION_CLOSE_BEFORE: Final = 12  # zero when there was no session before
VOLUME: Final = 13
RANGE: Final = 14
ENTRIES: Final = 15  # orders that made the position larger since it was flat
OPENED_TODAY: Final = 16
CLOSED_AT: Final = 17  # -1 when it never was
DAY_OPENED: Final = 18  # whether anything was opened in this session and is no part of a day trade
COST: Final = 19
LINE_VALUE: Final = 20
LOT_FIRST: Final = 21
LOT_COUNT: Final = 22
WORD: Final = 23  # the id of the symbol
TOUCHED: Final = 24
BUY_PRICE: Final = 25  # the dearest worst price of buy orders at work, zero without one; and of sell orders
SELL_PRICE: Final = 26
FLOOR: Final = 27  # between which and the next the price may move within the box
CEILING: Final = 28
BUSY_AT: Final = 29  # where in the table of busy symbols it is, counted from one; zero when it is in none
LOTS: Final = 32  # pairs of shares and price, in a ring
LOTS_MOST: Final = 32

# -- a session, a window, an event, an order -----------------------------------------------------------------------
PLAN: Final = 8
OPENS: Final = 0
CLOSES: Final = 1
DAY: Final = 2
PLACE: Final = 3
BUSINESS_DAY: Final = 4
OFFSET: Final = 5  # from UTC to the time at the exchange, and from when on it is another
OFFSET_CHANGES: Final = 6
OFFSET_AFTER: Final = 7

WINDOW: Final = 8
OF_STREAM: Final = 0
MICROS: Final = 1  # -1 for a window over sessions
SPAN: Final = 2  # in sessions
BY_BUSINESS: Final = 3
IS_TOTAL: Final = 4
HEAD: Final = 5
AMOUNT: Final = 6
SHOWN_AT: Final = 7  # in the buffer of facts

EVENT: Final = 4
EVENT_AT: Final = 0
EVENT_PLACE: Final = 1
EVENT_BUSINESS: Final = 2
EVENT_AMOUNT: Final = 3

ROW: Final = 18
ROW_SYMBOL: Final = 0
ROW_SIDE: Final = 1  # 1 for a buy, -1 for a sell
ROW_QTY: Final = 2
ROW_WORST: Final = 3
ROW_AT: Final = 4
ROW_STATE: Final = 5
ROW_WAIT: Final = 6
ROW_REDUCES: Final = 7
ROW_ALIKE: Final = 8  # when the same order was placed before it, -1 when it never was
ROW_FILLED_AT: Final = 9
ROW_PRICE: Final = 10  # the worst that it could have filled at so far; zero before the first
ROW_GAIN: Final = 11  # what the fill realised before fees
ROW_CLOSES: Final = 12  # whether the fill closed anything
ROW_BROKEN: Final = 13  # the rules that the order broke, and those that were errors
ROW_ERRORS: Final = 14
ROW_BAR: Final = 15  # the bar that was answered
ROW_NUMBER: Final = 16  # its number among the orders placed
DENIED: Final = 0
AT_WORK: Final = 1
FILLED: Final = 2

# What a strategy wants: one of so many symbols of one answer, those that follow it counted, in the order of symbols.
WANT: Final = 6
WANT_BAR: Final = 0  # the bar that was answered
WANT_SYMBOL: Final = 1
WANT_TARGET: Final = 2  # in signed shares
WANT_COUNT: Final = 3
WANT_EXIT: Final = 4  # the signed shares out of a position and into one that bring it about, once it is looked at
WANT_ENTRY: Final = 5

ALIKE: Final = 4  # symbol and side, shares, when; and whether it is taken
ACTIVE_MOST: Final = 64
# As many symbols held or at work as the collection of positions has room for.
POSITIONS_MOST: Final = 500

# -- a moment: the engine, the symbol, where its holdings begin, what closing out costs, and every window -------------
MOMENT_ENGINE: Final = OPEN + 1
MOMENT_LINE: Final = SELL_PRICE + 1
HOLDING: Final = 10
HOLDING_SYMBOL: Final = 0
HOLDING_QTY: Final = 1
HOLDING_BUY: Final = 2
HOLDING_SELL: Final = 3
HOLDING_PRICE: Final = 4
HOLDING_EXPOSURE: Final = 5
HOLDING_COST: Final = 6
HOLDING_VALUE: Final = 7
HOLDING_BUY_PRICE: Final = 8
HOLDING_SELL_PRICE: Final = 9

# -- why the kernel hands over -------------------------------------------------------------------------------------
UNUSUAL: Final = 1
BAR_BROKEN: Final = 2
ACCOUNT_BROKEN: Final = 3
NOT_DECIDED: Final = 4
OPPOSITE: Final = 5
AT_THE_GATE: Final = 6
TOO_LARGE: Final = 7
NO_ROOM: Final = 8
ROWS_FULL: Final = 9
NO_BAR: Final = 10
REASONS: Final = (
    "",
    "something other than plain bars came",
    "a rule of bars asks for more than native code does",
    "a rule of the account asks for more than native code does",
    "a number left 128 bits",
    "an order would trade against one at work",
    "the gate kept an order back",
    "the books left the numbers that native code is made for",
    "there are more orders at work than native code has room for",
    "there are more orders than there was room for",
    "an order is for a symbol that has no bar of this instant",
)

# What native code is made for, in shares and micros. Products of these stay within 64 bits.
SHARES_MOST: Final = 2**20
PRICE_MOST: Final = 2**40
MONEY_MOST: Final = 2**55
NEVER: Final = 2**62
BPS: Final = 10_000  # basis points in one

# What an array of targets holds where the strategy has nothing to say.
HOLD: Final = -(2**63)
