"""A paper account that an earlier mqk opened: its tables become today's when it is opened, and nothing is lost."""

from __future__ import annotations

from typing import Final

import psycopg
import pytest
from psycopg.types.json import Json

from mqk.engine import Accepted, Cancelled, Filled, event_to_json
from mqk.orders import OrderStatus, Side
from mqk.portfolio import Fill
from mqk.reconcile import OrderView
from tests.brokers.desk import ACCOUNT, CAPITAL, EPOCH, paper

# As they were before orders had limits, stops, brackets and changes; and before that, without what they could have had
# on their way and without closes.
EARLIER: Final = """
CREATE SCHEMA paper_broker;
CREATE TABLE paper_broker.accounts (
    account text PRIMARY KEY CHECK (account <> ''), opening_cash bigint NOT NULL, cash bigint NOT NULL,
    market_time bigint NOT NULL, epoch bigint NOT NULL, bundle text NOT NULL, last_message bigint NOT NULL
);
CREATE TABLE paper_broker.market (
    account text NOT NULL REFERENCES paper_broker.accounts, symbol text NOT NULL CHECK (symbol <> ''),
    bar_end bigint NOT NULL, bars bigint NOT NULL, PRIMARY KEY (account, symbol)
);
CREATE TABLE paper_broker.orders (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL REFERENCES paper_broker.accounts, client_order_id text NOT NULL CHECK (client_order_id <> ''),
    symbol text NOT NULL, side text NOT NULL CHECK (side IN ('BUY', 'SELL')), qty bigint NOT NULL CHECK (qty > 0),
    type text NOT NULL, filled bigint NOT NULL CHECK (filled BETWEEN 0 AND qty),
    status text NOT NULL CHECK (status IN ('ACCEPTED', 'FILLED', 'CANCELLED', 'REJECTED')),
    due bigint NOT NULL, cancel_due bigint, reason text NOT NULL, UNIQUE (account, client_order_id)
);
CREATE INDEX orders_open ON paper_broker.orders (account, number) WHERE status = 'ACCEPTED';
CREATE TABLE paper_broker.positions (
    account text NOT NULL REFERENCES paper_broker.accounts, symbol text NOT NULL, qty bigint NOT NULL,
    PRIMARY KEY (account, symbol)
);
CREATE TABLE paper_broker.messages (
    account text NOT NULL REFERENCES paper_broker.accounts, seq bigint NOT NULL, message_id text NOT NULL,
    event jsonb NOT NULL, PRIMARY KEY (account, seq), UNIQUE (account, message_id)
);
"""
BEFORE_ORDERS: Final = """
ALTER TABLE paper_broker.orders ADD COLUMN worst bigint;
ALTER TABLE paper_broker.market ADD COLUMN close bigint;
"""
NOW: Final = 1_700_000_000_000_000
CASH: Final = CAPITAL - 30 * 100_000_000
TOLD: Final = (
    Accepted("MAIN_1", NOW - 2),
    Filled(Fill("MAIN_1-1", "MAIN_1", "SPY", "BUY", 30, 100_000_000, 0, NOW - 1), "MAIN_1"),
    Accepted("MAIN_2", NOW),
)


@pytest.fixture(params=["", BEFORE_ORDERS], ids=["the first tables", "before orders had limits"])
def earlier(request: pytest.FixtureRequest, database_url: str) -> str:
    """An account with a position, an order that has filled, one that is at work, and what was told of both."""
    url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url) as connection:
        connection.execute(EARLIER + request.param)
        row = (ACCOUNT, CAPITAL, CASH, NOW, EPOCH, "0" * 64, len(TOLD))
        connection.execute("INSERT INTO paper_broker.accounts VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        market = "INSERT INTO paper_broker.market (account, symbol, bar_end, bars) VALUES (%s, 'SPY', %s, 7)"
        connection.execute(market, (ACCOUNT, NOW))
        orders = (
            "INSERT INTO paper_broker.orders"
            " (account, client_order_id, symbol, side, qty, type, filled, status, due, reason)"
            " VALUES (%s, %s, 'SPY', %s, %s, 'MARKET', %s, %s, %s, '')"
        )
        connection.execute(orders, (ACCOUNT, "MAIN_1", "BUY", 30, 30, "FILLED", 6))
        connection.execute(orders, (ACCOUNT, "MAIN_2", "SELL", 12, 0, "ACCEPTED", 8))
        connection.execute("INSERT INTO paper_broker.positions VALUES (%s, 'SPY', 30)", (ACCOUNT,))
        for seq, event in enumerate(TOLD, 1):
            message = (ACCOUNT, seq, f"m{seq}", Json(event_to_json(event)))
            connection.execute("INSERT INTO paper_broker.messages VALUES (%s, %s, %s, %s)", message)
    return database_url


def test_an_account_of_an_earlier_mqk_goes_on_as_it_was(earlier: str) -> None:
    for _ in range(2):
        # Opened again, it is left alone.
        broker = paper(earlier)
        book = broker.book(["MAIN_1", "MAIN_2"])
        assert (book.cash, dict(book.positions)) == (CASH, {"SPY": 30})
        assert dict(book.orders) == {
            "MAIN_1": OrderView("SPY", Side.BUY, 30, 30, OrderStatus.FILLED),
            "MAIN_2": OrderView("SPY", Side.SELL, 12, 0, OrderStatus.ACCEPTED),
        }
        assert [message.event for message in broker.events_after(0)] == list(TOLD)
        assert broker.find("MAIN_2") is not None
        broker.close()
    # What was at work is still at work, and can be taken back.
    broker = paper(earlier)
    assert not broker.cancel("MAIN_1")
    assert broker.cancel("MAIN_2")
    assert [type(message.event) for message in broker.events_after(len(TOLD))] == [Cancelled]
    assert broker.book(["MAIN_2"]).orders["MAIN_2"].status is OrderStatus.CANCELLED
    broker.close()
