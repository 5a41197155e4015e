"""A small desk to test tests on: one engine, a few rules, and the words that put a test document beside them."""

from __future__ import annotations

from pathlib import Path

from mqk.analysis.testing import Bench, Suite, read_suites
from mqk.policy import Diagnostic, PolicySet
from tests.policy.support import load_texts, sound_files

ENGINE = """
kind: engine
id: DESK
title: A desk
owner: trading
mode: PAPER
uses:
  risk: [desk_risk]
  integrity: [desk_bars]
  lifecycle: [sound_run]
  execution: [sound_costs]
  schedule: [sound_clock]
capital: 100_000 USD
calendar: XNYS
timeframes: [1D]
universe: [SPY, QQQ]
strategies:
  - id: swing_trend_v1
    params: {lookback: 50}
baseline:
  run.mode: PAPER
  run.state: RUNNING
  run.posture: NORMAL
  run.killed: false
  clock.now: 2026-06-01T20:00:00Z
  account.equity: 100_000 USD
  account.cash: 100_000 USD
  account.day_start_equity: 100_000 USD
  account.peak_equity: 100_000 USD
  account.gross_exposure: 0 USD
  account.working_buy_value: 0 USD
  account.working_orders: 0
  account.open_positions: 0
  count(rejects within 300s): 0
  order.symbol: SPY
  order.side: BUY
  order.qty: 10
  order.type: MARKET
  order.worst_price: 400.00 USD
  position.qty: 0
  position.working_buy: 0
  position.working_sell: 0
  position.working_buy_price: 0 USD
  position.working_sell_price: 0 USD
  position.exposure: 0 USD
  market.price: 400.00 USD
  bar.symbol: SPY
  bar.open: 399.00 USD
  bar.high: 401.00 USD
  bar.low: 398.00 USD
  bar.close: 400.00 USD
  bar.volume: 1_000
  bar.complete: true
  bar.end: 2026-06-01T20:00:00Z
  bar.previous_end: 2026-05-29T20:00:00Z
  bar.previous_close: 399.00 USD
  bar.missing: 0
"""
RISK = """
kind: risk
id: desk_risk
title: A floor
owner: risk-office
limits:
  max_position: 20%
  daily_loss: 2%
  rejects: 5 per 300s
rules:
  - id: KILL-01
    title: Killed
    at: order
    require: not run.killed
    otherwise: deny
  - id: CAP-01
    title: No symbol dominates the book
    at: order
    require: projected.position_value <= limits.max_position of account.equity
    otherwise: deny
  - id: CAP-07
    title: Purchases are paid from cash
    at: order
    when: order.side == BUY
    require: order.value <= account.cash
    otherwise: deny
  - id: LOSS-01
    title: Daily loss
    at: account
    require: account.day_start_equity - account.equity < limits.daily_loss of account.day_start_equity
    otherwise: halt
  - id: RATE-05
    title: A storm of rejects
    at: account
    require: count(rejects within limits.rejects.window) < limits.rejects.count
    otherwise: reduce_only
"""
BARS = """
kind: integrity
id: desk_bars
title: Bars
owner: market-data
limits:
  outlier: 20%
rules:
  - id: DATA-04
    title: Only completed bars
    at: bar
    require: bar.complete
    otherwise: reject
  - id: DATA-06
    title: No implausible jump
    at: bar
    when: present(bar.previous_close)
    require: abs(bar.close - bar.previous_close) <= limits.outlier of bar.previous_close
    otherwise: reject
"""
HEAD = "kind: test\nid: desk_test\ntitle: Tests of the desk\nowner: tests\nengine: DESK\n"


def desk(folder: Path, *tests: str, risk: str = RISK) -> PolicySet:
    """The desk's policies with test documents beside them."""
    files = {name: text for name, text in sound_files().items() if name in ("run.yaml", "costs.yaml", "clock.yaml")}
    files |= {"engine.yaml": ENGINE, "risk.yaml": risk, "bars.yaml": BARS}
    files |= {f"t{number}.test.yaml": text for number, text in enumerate(tests)}
    policies = load_texts(folder, files)
    assert not policies.errors, policies.errors
    return policies


def cases(*lines: str, head: str = HEAD) -> str:
    """A test document with cases, one flow mapping each."""
    return head + "cases:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def suites(folder: Path, *tests: str, risk: str = RISK) -> tuple[Bench, list[Suite], list[Diagnostic]]:
    """The test documents of the desk, read, with the bench to run them on and what is wrong with them."""
    bench = Bench(desk(folder, *tests, risk=risk))
    read, faults = read_suites(bench.policies, bench)
    return bench, read, faults
