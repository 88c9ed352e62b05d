"""The models and their tables. Import this package only if the app is installed."""

from event_bus_kafka.models.dead_letter_entries import DeadLetterEntry, DeadLetterEntryQuerySet, EntryState
from event_bus_kafka.models.dead_letters import DeadLetter, DeadLetterQuerySet, from_json, to_json
from event_bus_kafka.models.heartbeats import Heartbeat
from event_bus_kafka.models.history import HistoryRow
from event_bus_kafka.models.inbox import InboxMark, InboxMarkQuerySet
from event_bus_kafka.models.outbox import SHARDS, OutboxRecord, OutboxShard, ParkedRecord, WriterSchema
from event_bus_kafka.models.pauses import PausedReceiver
from event_bus_kafka.models.replay_requests import ReplayRequest, ReplayRequestQuerySet, RequestState
from event_bus_kafka.models.requested.letters import LetterState, RequestedLetter, RequestedLetterQuerySet
from event_bus_kafka.models.requested.runs import RequestedRun, RequestedRunQuerySet, RunKind
from event_bus_kafka.models.rights import EventBus, Right

__all__ = [
    "SHARDS",
    "DeadLetter",
    "DeadLetterEntry",
    "DeadLetterEntryQuerySet",
    "DeadLetterQuerySet",
    "EntryState",
    "EventBus",
    "Heartbeat",
    "HistoryRow",
    "InboxMark",
    "InboxMarkQuerySet",
    "LetterState",
    "OutboxRecord",
    "OutboxShard",
    "ParkedRecord",
    "PausedReceiver",
    "ReplayRequest",
    "ReplayRequestQuerySet",
    "RequestState",
    "RequestedLetter",
    "RequestedLetterQuerySet",
    "RequestedRun",
    "RequestedRunQuerySet",
    "Right",
    "RunKind",
    "WriterSchema",
    "from_json",
    "to_json",
]
