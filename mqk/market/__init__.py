"""Bars, the calendar they are due by, and reading them from files (floor 4).

What a bar must be to be traded on is a policy, judged by guards; nothing here decides.
"""

from mqk.market.adjust import split_bar, split_price
from mqk.market.bar import TIMEFRAMES, Bar, Ex, columns_of, data_sha256
from mqk.market.calendars import Calendar, calendar_of
from mqk.market.collector import without_garbage_collection
from mqk.market.errors import BarDataError, BarProblem, CalendarError, SampleDataError
from mqk.market.reader import CorporateActions, read_bars
from mqk.market.samples import demo_bars
from mqk.market.sessions import SessionPlan

__all__ = [
    "TIMEFRAMES",
    "Bar",
    "BarDataError",
    "BarProblem",
    "Calendar",
    "CalendarError",
    "CorporateActions",
    "Ex",
    "SampleDataError",
    "SessionPlan",
    "calendar_of",
    "columns_of",
    "data_sha256",
    "demo_bars",
    "read_bars",
    "split_bar",
    "split_price",
    "without_garbage_collection",
]
