"""The paper broker's own schema: statements that make it, and make it again without harm.

Not among the migrations of mqk's tables: the paper broker is an outside party that happens to live on the same server.
"""

from __future__ import annotations

from typing import Final

LOCK: Final = 0x70617065  # "pape": the advisory lock under which the schema is made, once

SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS paper_broker;

CREATE TABLE IF NOT EXISTS paper_broker.accounts (
    account       text PRIMARY KEY CHECK (account <> ''),
    opening_cash  bigint NOT NULL,
    cash          bigint NOT NULL,
    market_time   bigint NOT NULL,  -- epoch microseconds up to which the market was shown, 0 before
    epoch         bigint NOT NULL,  -- the fencing epoch of the leader, and the bundle it trades under
    bundle        text NOT NULL,
    last_message  bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS paper_broker.market (
    account  text NOT NULL REFERENCES paper_broker.accounts,
    symbol   text NOT NULL CHECK (symbol <> ''),
    bar_end  bigint NOT NULL,
    bars     bigint NOT NULL,
    PRIMARY KEY (account, symbol)
);

-- `due` is the number of the symbol's bar at whose open the order can fill, `cancel_due` the one after which it is
-- gone.
CREATE TABLE IF NOT EXISTS paper_broker.orders (
    number           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account          text NOT NULL REFERENCES paper_broker.accounts,
    client_order_id  text NOT NULL CHECK (client_order_id <> ''),
    symbol           text NOT NULL,
    side             text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    qty              bigint NOT NULL CHECK (qty > 0),
    type             text NOT NULL,
    filled           bigint NOT NULL CHECK (filled BETWEEN 0 AND qty),
    status           text NOT NULL CHECK (status IN ('ACCEPTED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED')),
    due              bigint NOT NULL,
    cancel_due       bigint,
    reason           text NOT NULL,
    UNIQUE (account, client_order_id)
);

-- The worst price that an order which arrives late could have had while it was on its way: it never does better.
ALTER TABLE paper_broker.orders ADD COLUMN IF NOT EXISTS worst bigint;

-- The close of the last bar that was shown: what a fraction of a share is paid at when shares are split.
ALTER TABLE paper_broker.market ADD COLUMN IF NOT EXISTS close bigint;

-- What orders other than market orders ask for, how far they have come, and a change that is on its way.
ALTER TABLE paper_broker.orders
    ADD COLUMN IF NOT EXISTS limit_price bigint,
    ADD COLUMN IF NOT EXISTS stop_price bigint,
    ADD COLUMN IF NOT EXISTS tif text NOT NULL DEFAULT 'DAY',
    ADD COLUMN IF NOT EXISTS parent_id text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS leg text,
    ADD COLUMN IF NOT EXISTS reduced bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS set_off boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS change_due bigint,
    ADD COLUMN IF NOT EXISTS new_qty bigint,
    ADD COLUMN IF NOT EXISTS new_limit bigint,
    ADD COLUMN IF NOT EXISTS new_stop bigint;

-- Everything that the market remembers of an order between two bars (mqk.venue.resting says what each means), in the
-- turn (`place`) in which it stands; and of a symbol: `bars` numbers its bars as `due` and the others count them.
ALTER TABLE paper_broker.orders
    ADD COLUMN IF NOT EXISTS place bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS since bigint,
    ADD COLUMN IF NOT EXISTS sent_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS fills bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS traded bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS value numeric NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS fee bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS here bigint,
    ADD COLUMN IF NOT EXISTS seen bigint NOT NULL DEFAULT -1,
    ADD COLUMN IF NOT EXISTS asked bigint;
ALTER TABLE paper_broker.market
    ADD COLUMN IF NOT EXISTS used_end bigint,
    ADD COLUMN IF NOT EXISTS unused bigint;

-- What was shown last, and how often the account was changed: whoever has it in memory knows whether that still holds.
ALTER TABLE paper_broker.accounts
    ADD COLUMN IF NOT EXISTS shown_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS shown_part smallint NOT NULL DEFAULT 5,
    ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 0;

DO $$ BEGIN
    -- Accounts from before the market was that of backtests.
    IF EXISTS (
        SELECT 1 FROM information_schema.columns
        WHERE table_schema = 'paper_broker' AND table_name = 'orders' AND column_name = 'met_day'
    ) THEN
        UPDATE paper_broker.orders SET place = number, here = 0;
        UPDATE paper_broker.accounts SET shown_at = market_time;
        ALTER TABLE paper_broker.orders DROP COLUMN met_day;
    END IF;
    -- Accounts from before orders could expire.
    IF EXISTS (
        SELECT 1 FROM pg_constraint
        WHERE conname = 'orders_status_check' AND conrelid = 'paper_broker.orders'::regclass
            AND pg_get_constraintdef(oid) NOT LIKE '%EXPIRED%'
    ) THEN
        ALTER TABLE paper_broker.orders DROP CONSTRAINT orders_status_check;
        ALTER TABLE paper_broker.orders ADD CONSTRAINT orders_status_check
            CHECK (status IN ('ACCEPTED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'));
    END IF;
END $$;

CREATE INDEX IF NOT EXISTS orders_open ON paper_broker.orders (account, number) WHERE status = 'ACCEPTED';

CREATE TABLE IF NOT EXISTS paper_broker.positions (
    account  text NOT NULL REFERENCES paper_broker.accounts,
    symbol   text NOT NULL,
    qty      bigint NOT NULL,
    PRIMARY KEY (account, symbol)
);

CREATE TABLE IF NOT EXISTS paper_broker.messages (
    account     text NOT NULL REFERENCES paper_broker.accounts,
    seq         bigint NOT NULL,
    message_id  text NOT NULL,
    event       jsonb NOT NULL,
    PRIMARY KEY (account, seq),
    UNIQUE (account, message_id)
);
"""
