"""Brokers: the contract every one of them fulfils, and the paper broker (floor 7).

A broker is an outside party. What is sent to it, when, and what its words mean for the engine is decided elsewhere.
"""

from mqk.brokers.contract import Ack, Ambiguous, Broker, BrokerError, BrokerUnavailable, PermitRefused
from mqk.brokers.messages import BrokerEvent, Message
from mqk.brokers.paper import PaperBroker

__all__ = [
    "Ack",
    "Ambiguous",
    "Broker",
    "BrokerError",
    "BrokerEvent",
    "BrokerUnavailable",
    "Message",
    "PaperBroker",
    "PermitRefused",
]
