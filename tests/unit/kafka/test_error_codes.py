"""A single table defines the meaning of each of Kafka's error codes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

import event_bus_kafka
from event_bus_kafka.errors import AssignmentLost, BrokerError
from event_bus_kafka.kafka.broker_errors import to_broker_error, to_commit_error
from event_bus_kafka.kafka.error_codes import TABLE, RowOutcome, meaning_of, row_outcome
from event_bus_kafka.trouble import Trouble

PACKAGE = Path(event_bus_kafka.__file__).parent
NUMBERS = {KafkaError(number).name(): number for number in vars(KafkaError).values() if isinstance(number, int)}
"""The numbers of the error codes of the installed client, by name."""
OURS = {"_NO_SCHEMA", "_UNREADABLE_ROW"}

# Repeated here, so that a slip in the table is noticed.
TROUBLES = {
    Trouble.UNREACHABLE: {
        "_ALL_BROKERS_DOWN",
        "_TRANSPORT",
        "_RESOLVE",
        "_TIMED_OUT",
        "_MSG_TIMED_OUT",
        "_WAIT_COORD",
        "REQUEST_TIMED_OUT",
    },
    Trouble.UNAUTHENTICATED: {"_AUTHENTICATION", "_SSL", "SASL_AUTHENTICATION_FAILED"},
    Trouble.FORBIDDEN: {
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    },
    Trouble.MISSING: {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "UNKNOWN_TOPIC_ID"},
    Trouble.REPLACED: {"FENCED_INSTANCE_ID", "UNRELEASED_INSTANCE_ID"},
    Trouble.REFUSED: {"_GAPLESS_GUARANTEE"},
    Trouble.MOVING: {
        "REBALANCE_IN_PROGRESS",
        "STALE_MEMBER_EPOCH",
        "NOT_COORDINATOR",
        "COORDINATOR_NOT_AVAILABLE",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "NOT_LEADER_FOR_PARTITION",
        "LEADER_NOT_AVAILABLE",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    },
}
TROUBLE_OF = {code: trouble for trouble, codes in TROUBLES.items() for code in codes}
FATAL = {"_FATAL", "FENCED_INSTANCE_ID"}
OF_THE_ROW = {"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "_INVALID_ARG"} | OURS
PARKED = {"TOPIC_EXCEPTION", "INVALID_RECORD", "POLICY_VIOLATION"} | OF_THE_ROW
FLAGS = {
    "final": PARKED,
    "of_the_row": OF_THE_ROW,
    "fatal": FATAL,
    "assignment_lost": FATAL | {"_STATE", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_MEMBER_EPOCH"},
    "passes_in_commit": {
        "STALE_MEMBER_EPOCH",
        "NOT_COORDINATOR",
        "COORDINATOR_NOT_AVAILABLE",
        "COORDINATOR_LOAD_IN_PROGRESS",
    },
    "coordinator_moves": {"NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS"},
    "offset_gone": {"_AUTO_OFFSET_RESET", "_LOG_TRUNCATION"},
    "ours": OURS,
}
OUTCOMES = {
    **dict.fromkeys(PARKED, RowOutcome.PARK),
    **dict.fromkeys(["_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"], RowOutcome.HOLD_TOPIC),
    "_INVALID_DIFFERENT_RECORD": RowOutcome.SEND_ALONE,
}


def test_each_row_of_the_table_of_error_codes_has_a_code_of_the_client_or_of_this_package() -> None:
    codes = [row.code for row in TABLE]
    assert len(codes) == len(set(codes))
    assert {row.code for row in TABLE if not row.ours} <= set(NUMBERS)
    assert {row.code for row in TABLE if row.ours} == OURS


def test_each_error_code_has_its_expected_kind_of_trouble() -> None:
    for code in {*NUMBERS, *OURS}:
        assert meaning_of(code).trouble is TROUBLE_OF.get(code, Trouble.OTHER), code


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_is_set_for_exactly_its_expected_error_codes(flag: str) -> None:
    assert {code for code in {*NUMBERS, *OURS} if getattr(meaning_of(code), flag)} == FLAGS[flag]


def test_s11_each_error_code_has_its_expected_outcome_for_a_row_of_the_relay() -> None:
    """
    If the table lacks a code, the outcome depends on the origin of the code. If the code comes from a broker, the topic
    is held. If the code comes from librdkafka, the relay starts again.
    """
    for code in {*NUMBERS, *OURS, "ERR_4711?"}:
        unlisted = RowOutcome.BEGIN_ANEW if code.startswith("_") else RowOutcome.HOLD_TOPIC
        assert row_outcome(BrokerError(code, "")) is OUTCOMES.get(code, unlisted), code


def test_only_the_expected_error_codes_are_marked_as_treated_differently_in_two_places_of_the_code() -> None:
    assert {row.code for row in TABLE if row.disagrees} == {
        "UNKNOWN_TOPIC_OR_PART",
        "_DESTROY",
        "_STATE",
        "_TIMED_OUT",
        "_UNSUPPORTED_FEATURE",
    }


@pytest.mark.parametrize("code", sorted(NUMBERS))
def test_each_error_of_the_client_is_converted_according_to_the_table_of_codes(code: str) -> None:
    error = to_broker_error(KafkaError(NUMBERS[code]))
    retriable = code not in FLAGS["final"] | FATAL
    assert (error.code, error.kind) == (code, TROUBLE_OF.get(code, Trouble.OTHER))
    assert (error.fatal, error.retriable) == (code in FATAL, retriable)
    in_commit = to_commit_error(KafkaError(NUMBERS[code]))
    assert isinstance(in_commit, AssignmentLost) is (code in FLAGS["assignment_lost"])


@pytest.mark.parametrize("code", ["_TRANSPORT", "UNKNOWN"])
def test_an_error_is_fatal_if_the_client_marks_it_as_fatal(code: str) -> None:
    error = to_broker_error(KafkaError(NUMBERS[code], "reason", True))
    assert (error.fatal, error.retriable) == (True, False)


def test_error_codes_of_kafka_occur_only_in_the_module_named_error_codes() -> None:
    assert list(_codes_outside_of_the_table()) == []


def _codes_outside_of_the_table() -> Iterator[str]:
    codes = {*NUMBERS, *(row.code for row in TABLE)}
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE).as_posix()
        if where == "kafka/error_codes.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=str(text)) if text in codes:
                    yield f"{where}:{node.lineno} {text}"
                case ast.Attribute(value=ast.Name(id="KafkaError"), attr=name) if name in codes:
                    yield f"{where}:{node.lineno} KafkaError.{name}"
