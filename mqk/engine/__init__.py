"""The engine: events in, effects out, one pure step between them, and the gate through which orders leave (floor 6).

Nothing in here reads a clock, a file, a socket, a database or chance. Events and effects are carried by mqk.backtest
and mqk.runtime.
"""

from mqk.engine.effects import (
    BarRejected,
    Cancel,
    Decided,
    Effect,
    LatchLifted,
    LatchSet,
    PostureChanged,
    Refused,
    Replace,
    Shadowed,
    Submit,
    decision_json,
)
from mqk.engine.errors import EngineError
from mqk.engine.events import (
    Accepted,
    BarArrived,
    Cancelled,
    CancelRejected,
    ClockTicked,
    Event,
    Expired,
    Filled,
    FirmSeen,
    Informing,
    KillSwitch,
    LatchReleased,
    Reconciled,
    Rejected,
    Replaced,
    ReplaceRejected,
    RunMoved,
    SessionPlanned,
    SkewMeasured,
    event_from_json,
    event_to_json,
    instant_of,
)
from mqk.engine.gate import Permit
from mqk.engine.state import EngineState
from mqk.engine.step import step

__all__ = [
    "Accepted",
    "BarArrived",
    "BarRejected",
    "Cancel",
    "CancelRejected",
    "Cancelled",
    "ClockTicked",
    "Decided",
    "Effect",
    "EngineError",
    "EngineState",
    "Event",
    "Expired",
    "Filled",
    "FirmSeen",
    "Informing",
    "KillSwitch",
    "LatchLifted",
    "LatchReleased",
    "LatchSet",
    "Permit",
    "PostureChanged",
    "Reconciled",
    "Refused",
    "Rejected",
    "Replace",
    "ReplaceRejected",
    "Replaced",
    "RunMoved",
    "SessionPlanned",
    "Shadowed",
    "SkewMeasured",
    "Submit",
    "decision_json",
    "event_from_json",
    "event_to_json",
    "instant_of",
    "step",
]
