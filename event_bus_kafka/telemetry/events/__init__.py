"""
The closed list of lifecycle events, one file per area.

They carry coordinates, types and errors, never event data: whatever is here may be logged.
"""

from event_bus_kafka.telemetry.events.clients import (
    CONNECTED,
    ClientErrorReported,
    ConnectionChanged,
    ProducerStatistics,
    RegistryFailed,
)
from event_bus_kafka.telemetry.events.consuming import (
    AttemptFailed,
    CommitFailed,
    EmittedEventsLost,
    OffsetsCommitted,
    OffsetsLost,
    OffsetsMoved,
    PartitionsAssigned,
    PartitionsRevoked,
    RecordDone,
    RecordReceived,
    RecordRetried,
    RecordSkipped,
    WindowFull,
)
from event_bus_kafka.telemetry.events.dead_letters import (
    DeadLetterEntriesPurged,
    DeadLetterReduced,
    DeadLettersPurged,
    DeadLetterStored,
    FloodHeld,
    ReplayFailed,
    ReplayRequestChanged,
)
from event_bus_kafka.telemetry.events.faults import CallbackFailed, ThreadStumbled
from event_bus_kafka.telemetry.events.lifecycle_event import LifecycleEvent
from event_bus_kafka.telemetry.events.outbox import (
    AppendToOutboxFailed,
    EventAppended,
    OutboxAmbiguous,
    OutboxStalled,
    ParkedRowsPurged,
    RelayInterrupted,
    RelayProgress,
    RowParked,
    TopicHeld,
    TopicResumed,
)
from event_bus_kafka.telemetry.events.probing import ProbeEnded
from event_bus_kafka.telemetry.events.receivers import (
    CircuitClosed,
    CircuitOpened,
    DuplicateSkipped,
    InboxMarksPurged,
    PausesChanged,
    ReceiverSlow,
    ReceiverUnfinished,
)
from event_bus_kafka.telemetry.events.sending import (
    EventRejected,
    EventSpilled,
    EventUndelivered,
    RecordDelivered,
    SpillDelayed,
    ThreadsDisabled,
)
from event_bus_kafka.telemetry.events.worker import (
    ReadinessChanged,
    WorkerStarted,
    WorkerStopped,
    WorkerStopping,
)

__all__ = [
    "CONNECTED",
    "AppendToOutboxFailed",
    "AttemptFailed",
    "CallbackFailed",
    "CircuitClosed",
    "CircuitOpened",
    "ClientErrorReported",
    "CommitFailed",
    "ConnectionChanged",
    "DeadLetterEntriesPurged",
    "DeadLetterReduced",
    "DeadLetterStored",
    "DeadLettersPurged",
    "DuplicateSkipped",
    "EmittedEventsLost",
    "EventAppended",
    "EventRejected",
    "EventSpilled",
    "EventUndelivered",
    "FloodHeld",
    "InboxMarksPurged",
    "LifecycleEvent",
    "OffsetsCommitted",
    "OffsetsLost",
    "OffsetsMoved",
    "OutboxAmbiguous",
    "OutboxStalled",
    "ParkedRowsPurged",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "PausesChanged",
    "ProbeEnded",
    "ProducerStatistics",
    "ReadinessChanged",
    "ReceiverSlow",
    "ReceiverUnfinished",
    "RecordDelivered",
    "RecordDone",
    "RecordReceived",
    "RecordRetried",
    "RecordSkipped",
    "RegistryFailed",
    "RelayInterrupted",
    "RelayProgress",
    "ReplayFailed",
    "ReplayRequestChanged",
    "RowParked",
    "SpillDelayed",
    "ThreadStumbled",
    "ThreadsDisabled",
    "TopicHeld",
    "TopicResumed",
    "WindowFull",
    "WorkerStarted",
    "WorkerStopped",
    "WorkerStopping",
]
