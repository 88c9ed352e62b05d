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
INVALID_RECORD = "INVALID_RECORD"
MSG_SIZE_TOO_LARGE = "MSG_SIZE_TOO_LARGE"
NO_SCHEMA = "_NO_SCHEMA"
PARTITION_EOF = "_PARTITION_EOF"
POLICY_VIOLATION = "POLICY_VIOLATION"
QUEUE_FULL = "_QUEUE_FULL"
RECORD_LIST_TOO_LARGE = "RECORD_LIST_TOO_LARGE"
STATE = "_STATE"
TIMED_OUT = "_TIMED_OUT"
TOPIC_ALREADY_EXISTS = "TOPIC_ALREADY_EXISTS"
TOPIC_EXCEPTION = "TOPIC_EXCEPTION"
UNKNOWN_TOPIC_OR_PART = "UNKNOWN_TOPIC_OR_PART"
UNREADABLE_ROW = "_UNREADABLE_ROW"
UNSUPPORTED_FEATURE = "_UNSUPPORTED_FEATURE"


class RowOutcome(Enum):
    """The relay's reaction to an outbox row that Kafka refused."""

    PARK = "parks the row if it was refused alone: repeating it would not help"
    SEND_ALONE = "sends the row again by itself: another row of the same request was refused"
    HOLD_TOPIC = "holds the topic for a while: its rows wait, other topics continue"
    BEGIN_ANEW = "begins again with a new client, and sends the row again"


@attrs.frozen
class Meaning:
    """
    The meaning of an error code.

    A code without a row in ``TABLE`` has the default values: trouble ``other``, not final and not fatal. So the same
    request may be repeated, unless librdkafka marks the error as fatal. After an unknown code of a broker the relay
    holds the topic. After an unknown code of librdkafka the relay makes a new client, and sends the row again.
    """

    code: str
    trouble: Trouble = Trouble.OTHER
    final: bool = attrs.field(default=False, kw_only=True)
    """
    Whether repeating the request never helps. ``KafkaError.retriable()`` cannot replace this attribute, because it was
    False for all codes that were tried.
    """
    fatal: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the client is unusable after this error. This attribute is needed because librdkafka does not mark the error
    as fatal in an answer to a commit or in place of a record.
    """
    assignment_lost: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the code, in an answer to a commit, means that the partitions no longer belong to this member of the group.
    """
    passes_in_commit: bool = attrs.field(default=False, kw_only=True)
    """Whether the code, in an answer to a commit, means that Kafka will soon accept the same commit."""
    coordinator_moves: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the code means that a group's coordinator is moving. This package then repeats the request about the group,
    because librdkafka does not repeat it.
    """
    offset_gone: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the code, in place of a record, means that the client reads nothing from the partition until another offset
    is set.
    """
    row_outcome: RowOutcome = attrs.field(kw_only=True)
    of_the_row: bool = attrs.field(default=False, kw_only=True)
    """
    Whether the row itself caused the refusal, because it is too large or not a valid record. True even if Kafka refuses
    other rows of the topic, too.
    """
    ours: bool = attrs.field(default=False, kw_only=True)
    """Whether the code comes from this package, and not from Kafka or librdkafka."""
    disagrees: str = attrs.field(default="", kw_only=True)
    """A note on two places in the code that treat this error code differently; empty: there is no such difference."""

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
        disagrees="If this package raises it because no answer came, its kind is other, except in ProcessClients.",
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
        disagrees="If the import of dead letters raises it, its kind is other, and it is not retriable.",
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
    Meaning("REBALANCE_IN_PROGRESS", Trouble.MOVING),  # lasts until the revocation of partitions ends
    Meaning("NOT_LEADER_FOR_PARTITION", Trouble.MOVING),
    Meaning("LEADER_NOT_AVAILABLE", Trouble.MOVING),
    Meaning("NOT_ENOUGH_REPLICAS", Trouble.MOVING),
    Meaning("NOT_ENOUGH_REPLICAS_AFTER_APPEND", Trouble.MOVING),
    # An earlier record was refused; its own error says why.
    Meaning("_GAPLESS_GUARANTEE", Trouble.REFUSED),
    # The client or its membership has ended.
    Meaning(FATAL, fatal=True, assignment_lost=True),  # the cause is in its text, or in another error that follows
    Meaning("UNKNOWN_MEMBER_ID", assignment_lost=True),
    Meaning("ILLEGAL_GENERATION", assignment_lost=True),
    Meaning("FENCED_MEMBER_EPOCH", assignment_lost=True),
    Meaning(
        STATE,  # in answer to an incremental assignment: the members of this group assign all partitions at once
        assignment_lost=True,
        disagrees="A lost assignment is retriable if Kafka reports it, but not if ConsumerClient raises it.",
    ),
    Meaning(
        DESTROY,
        disagrees="Fatal if ProcessClients raises it, because the client takes no more records; not fatal by this row.",
    ),
    # The record itself is refused.
    Meaning(MSG_SIZE_TOO_LARGE, final=True, row_outcome=RowOutcome.PARK, of_the_row=True),
    Meaning(RECORD_LIST_TOO_LARGE, final=True, row_outcome=RowOutcome.PARK, of_the_row=True),  # for a segment
    Meaning(TOPIC_EXCEPTION, final=True, row_outcome=RowOutcome.PARK),
    Meaning(INVALID_RECORD, final=True, row_outcome=RowOutcome.PARK),
    Meaning(POLICY_VIOLATION, final=True, row_outcome=RowOutcome.PARK),
    # The writer's schema has no row; no record can be made of the row; the client cannot send such a record.
    Meaning(NO_SCHEMA, final=True, row_outcome=RowOutcome.PARK, of_the_row=True, ours=True),
    Meaning(UNREADABLE_ROW, final=True, row_outcome=RowOutcome.PARK, of_the_row=True, ours=True),
    Meaning(INVALID_ARG, final=True, row_outcome=RowOutcome.PARK, of_the_row=True),
    Meaning("_INVALID_DIFFERENT_RECORD", row_outcome=RowOutcome.SEND_ALONE),
    # The rest.
    Meaning("INVALID_TIMESTAMP"),  # a clock is wrong; a repeated record gets a new timestamp
    Meaning("_AUTO_OFFSET_RESET", offset_gone=True),
    Meaning("_LOG_TRUNCATION", offset_gone=True),
    Meaning(QUEUE_FULL),  # the producer's local queue: poll, then try again
    Meaning(PARTITION_EOF),  # no error: nothing more to read for now
    Meaning(BAD_MSG),  # a record has a header whose name is not UTF-8
    Meaning(GROUP_ID_NOT_FOUND),  # a group without members and without committed offsets
    Meaning(TOPIC_ALREADY_EXISTS),  # the purpose of create_topic is fulfilled
    Meaning(
        UNSUPPORTED_FEATURE,  # the sandbox's brokers: no offsets by time, no members of groups
        disagrees="Retriable if librdkafka reports it, not if this package raises it; no caller repeats the request.",
    ),
    Meaning(FAIL),  # an exception of the client without a KafkaError
)
_BY_CODE = {row.code: row for row in TABLE}


def meaning_of(code: str) -> Meaning:
    """Return the row of ``code`` in ``TABLE``. If the code has no row, return the default values."""
    return _BY_CODE.get(code) or Meaning(code)


def row_outcome(error: BrokerError) -> RowOutcome:
    """Return the relay's reaction to a row for which ``produce`` or a delivery report returned ``error``."""
    return meaning_of(error.code).row_outcome
