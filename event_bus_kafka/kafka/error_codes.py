"""
The one table of Kafka's error codes, with the meaning of each for the consumer, for health and for the relay.

A code is the name that ``KafkaError.name()`` returns; librdkafka's own codes begin with an underscore. Other modules
ask :func:`meaning_of` or :func:`row_outcome`, or compare with a constant of this module. To add a code, add a row to
``TABLE``.
"""

from __future__ import annotations

from enum import Enum

import attrs

from event_bus_kafka.errors import BrokerError
from event_bus_kafka.trouble import Trouble

ALL_BROKERS_DOWN = "_ALL_BROKERS_DOWN"
BAD_MSG = "_BAD_MSG"
DESTROY = "_DESTROY"
FAIL = "_FAIL"
FATAL = "_FATAL"
GROUP_ID_NOT_FOUND = "GROUP_ID_NOT_FOUND"
INVALID_ARG = "_INVALID_ARG"
MSG_SIZE_TOO_LARGE = "MSG_SIZE_TOO_LARGE"
NO_SCHEMA = "_NO_SCHEMA"
PARTITION_EOF = "_PARTITION_EOF"
QUEUE_FULL = "_QUEUE_FULL"
STATE = "_STATE"
TIMED_OUT = "_TIMED_OUT"
TOPIC_ALREADY_EXISTS = "TOPIC_ALREADY_EXISTS"
UNKNOWN_TOPIC_OR_PART = "UNKNOWN_TOPIC_OR_PART"
UNREADABLE_ROW = "_UNREADABLE_ROW"
UNSUPPORTED_FEATURE = "_UNSUPPORTED_FEATURE"


class RowOutcome(Enum):
    """The relay's reaction to an outbox row that Kafka did not take."""

    PARK = "sets the row aside if it was refused alone: no repetition would help"
    SEND_ALONE = "sends the row again by itself: another one of its request was refused"
    HOLD_TOPIC = "leaves the topic alone for a while: its rows wait, others go on"
    BEGIN_ANEW = "begins anew with a new client: the row comes again"


@attrs.frozen
class Meaning:
    """
    The meaning of an error code.

    A code without a row has the defaults: trouble ``other``, neither final nor fatal, so that the same request may be
    repeated unless librdkafka marks the error as fatal. After a broker's code the relay holds the topic; after one of
    librdkafka's own codes it begins anew.
    """

    code: str
    trouble: Trouble = Trouble.OTHER
    final: bool = attrs.field(default=False, kw_only=True)
    """No repetition of the request helps. ``KafkaError.retriable()`` does not tell: it is False for all codes tried."""
    fatal: bool = attrs.field(default=False, kw_only=True)
    """
    The client is of no use any more, even where librdkafka does not mark the error as fatal, as in answers to commits
    and in errors that come in place of a record.
    """
    assignment_lost: bool = attrs.field(default=False, kw_only=True)
    """In an answer to a commit: the partitions belong to another member of the group by now."""
    passes_in_commit: bool = attrs.field(default=False, kw_only=True)
    """In an answer to a commit: the same commit is soon accepted."""
    coordinator_moves: bool = attrs.field(default=False, kw_only=True)
    """The question about a group has to be asked again, which librdkafka does not do by itself."""
    offset_gone: bool = attrs.field(default=False, kw_only=True)
    """In place of a record: nothing is read of the partition until it is moved to another offset."""
    row_outcome: RowOutcome = attrs.field(kw_only=True)
    of_the_row: bool = attrs.field(default=False, kw_only=True)
    """A refused row is to blame for it, however many of its topic are refused: it is too large, or no record at all."""
    ours: bool = attrs.field(default=False, kw_only=True)
    """This package made the code up."""
    disagrees: str = attrs.field(default="", kw_only=True)
    """Names two places that judge the code differently, or is empty. Kept until the two are reconciled."""

    @row_outcome.default
    def _outcome_without_a_row(self) -> RowOutcome:
        return RowOutcome.BEGIN_ANEW if self.code.startswith("_") else RowOutcome.HOLD_TOPIC


TABLE = (
    # No broker answers.
    Meaning(ALL_BROKERS_DOWN, Trouble.UNREACHABLE),
    Meaning("_TRANSPORT", Trouble.UNREACHABLE),
    Meaning("_RESOLVE", Trouble.UNREACHABLE),
    Meaning(
        TIMED_OUT,
        Trouble.UNREACHABLE,
        disagrees="Where this package raises it for want of an answer, its kind is other, save in ProcessClients.",
    ),
    Meaning("_MSG_TIMED_OUT", Trouble.UNREACHABLE),
    Meaning("_WAIT_COORD", Trouble.UNREACHABLE),
    Meaning("REQUEST_TIMED_OUT", Trouble.UNREACHABLE),
    # The login or a certificate is refused.
    Meaning("_AUTHENTICATION", Trouble.UNAUTHENTICATED),
    Meaning("_SSL", Trouble.UNAUTHENTICATED),
    Meaning("SASL_AUTHENTICATION_FAILED", Trouble.UNAUTHENTICATED),
    # A right is missing.
    Meaning("TOPIC_AUTHORIZATION_FAILED", Trouble.FORBIDDEN),
    Meaning("CLUSTER_AUTHORIZATION_FAILED", Trouble.FORBIDDEN),
    Meaning("GROUP_AUTHORIZATION_FAILED", Trouble.FORBIDDEN),
    Meaning("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Trouble.FORBIDDEN),
    # The topic or the partition does not exist.
    Meaning(
        UNKNOWN_TOPIC_OR_PART,
        Trouble.MISSING,
        disagrees="Where imports of dead letters raise it, its kind is other, and it is not retriable.",
    ),
    Meaning("_UNKNOWN_TOPIC", Trouble.MISSING, row_outcome=RowOutcome.HOLD_TOPIC),
    Meaning("_UNKNOWN_PARTITION", Trouble.MISSING, row_outcome=RowOutcome.HOLD_TOPIC),
    Meaning("UNKNOWN_TOPIC_ID", Trouble.MISSING),
    # Another member has the same group.instance.id.
    Meaning("FENCED_INSTANCE_ID", Trouble.REPLACED, fatal=True, assignment_lost=True),
    Meaning("UNRELEASED_INSTANCE_ID", Trouble.REPLACED),
    # The group, its coordinator or a leader is moving.
    Meaning("NOT_COORDINATOR", Trouble.MOVING, passes_in_commit=True, coordinator_moves=True),
    Meaning("COORDINATOR_NOT_AVAILABLE", Trouble.MOVING, passes_in_commit=True, coordinator_moves=True),
    Meaning("COORDINATOR_LOAD_IN_PROGRESS", Trouble.MOVING, passes_in_commit=True, coordinator_moves=True),
    Meaning("STALE_MEMBER_EPOCH", Trouble.MOVING, passes_in_commit=True),  # the member soon hears of its new epoch
    Meaning("REBALANCE_IN_PROGRESS", Trouble.MOVING),  # does not pass while partitions are revoked: it waits for that
    Meaning("NOT_LEADER_FOR_PARTITION", Trouble.MOVING),
    Meaning("LEADER_NOT_AVAILABLE", Trouble.MOVING),
    Meaning("NOT_ENOUGH_REPLICAS", Trouble.MOVING),
    Meaning("NOT_ENOUGH_REPLICAS_AFTER_APPEND", Trouble.MOVING),
    # What was refused is told of by its own code.
    Meaning("_GAPLESS_GUARANTEE", Trouble.REFUSED),
    # The client or its membership has ended.
    Meaning(FATAL, fatal=True, assignment_lost=True),  # the cause is in its text, or in another error that follows
    Meaning("UNKNOWN_MEMBER_ID", assignment_lost=True),
    Meaning("ILLEGAL_GENERATION", assignment_lost=True),
    Meaning("FENCED_MEMBER_EPOCH", assignment_lost=True),
    Meaning(
        STATE,  # in answer to an incremental assignment: the members of this group assign all partitions at once
        assignment_lost=True,
        disagrees="A lost assignment is retriable where Kafka's answer says so, not where ConsumerClient finds it.",
    ),
    Meaning(
        DESTROY,
        disagrees="Fatal where ProcessClients raises it, because this client takes no more; not fatal by this row.",
    ),
    # The record itself is refused.
    Meaning(MSG_SIZE_TOO_LARGE, final=True, row_outcome=RowOutcome.PARK, of_the_row=True),
    Meaning("RECORD_LIST_TOO_LARGE", final=True, row_outcome=RowOutcome.PARK, of_the_row=True),  # for a segment
    Meaning("TOPIC_EXCEPTION", final=True, row_outcome=RowOutcome.PARK),
    Meaning("INVALID_RECORD", final=True, row_outcome=RowOutcome.PARK),
    Meaning("POLICY_VIOLATION", final=True, row_outcome=RowOutcome.PARK),
    # The writer's schema has no row; no record can be made of the row; the client cannot send such a record.
    Meaning(NO_SCHEMA, final=True, row_outcome=RowOutcome.PARK, of_the_row=True, ours=True),
    Meaning(UNREADABLE_ROW, final=True, row_outcome=RowOutcome.PARK, of_the_row=True, ours=True),
    Meaning(INVALID_ARG, final=True, row_outcome=RowOutcome.PARK, of_the_row=True),
    Meaning("_INVALID_DIFFERENT_RECORD", row_outcome=RowOutcome.SEND_ALONE),
    # The rest.
    Meaning("INVALID_TIMESTAMP"),  # a clock is wrong: records get theirs when they are sent, so that it passes
    Meaning("_AUTO_OFFSET_RESET", offset_gone=True),
    Meaning("_LOG_TRUNCATION", offset_gone=True),
    Meaning(QUEUE_FULL),  # the producer's local queue: poll, then try again
    Meaning(PARTITION_EOF),  # no error: nothing more to read for now
    Meaning(BAD_MSG),  # headers of a record that have names which are not UTF-8
    Meaning(GROUP_ID_NOT_FOUND),  # a group without members and without committed offsets
    Meaning(TOPIC_ALREADY_EXISTS),  # what create_topic is for
    Meaning(
        UNSUPPORTED_FEATURE,  # the sandbox's brokers: no offsets by time, no members of groups
        disagrees="Retriable where librdkafka reports it, not where this package raises it; nobody repeats it.",
    ),
    Meaning(FAIL),  # an exception of the client without a KafkaError
)
_BY_CODE = {row.code: row for row in TABLE}


def meaning_of(code: str) -> Meaning:
    """Return the row of a code, or the defaults if it has none."""
    return _BY_CODE.get(code) or Meaning(code)


def row_outcome(error: BrokerError) -> RowOutcome:
    """Return what the relay does with a row after this error of ``produce`` or of a delivery report."""
    return meaning_of(error.code).row_outcome
