"""
The results of receivers in one attempt decide whether a record is done, retried, held or given up. The function under
test has no side effects.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_bus_kafka.dispatching.attempts import NOTHING_YET, Attempt, Past, judge
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import DONE, GiveUp, Hold, Retry
from event_bus_kafka.dispatching.retry import RetryPolicy
from event_bus_kafka.errors import CircuitOpen, ReceiverPaused, ReceiversFailed, UnreadableValue

POLICY = RetryPolicy(attempts=3, first_delay=1, factor=2, max_delay=60, jitter=0, final=(KeyError,))
RECEIVERS = [Receiver(lambda **_: None, name) for name in ("a", "b", "c", "d")]
A, B, C, D = RECEIVERS
FINAL = UnreadableValue("too short")


def attempt(**values: Any) -> Attempt:
    return Attempt(**{"receivers": RECEIVERS, "ran": True, **values})


def test_a_record_is_done_and_an_outage_is_over_if_no_receiver_failed() -> None:
    assert judge(attempt(), NOTHING_YET, POLICY).past is NOTHING_YET
    judged = judge(attempt(), Past(away="database", holds=3), POLICY)
    assert (judged.outcome, judged.past.away) == (DONE, "")


def test_a_failed_receiver_is_retried_unless_its_own_attempts_are_exhausted() -> None:
    past = Past(attempts=2, failures={A.name: 2}, holds=4, away="database")
    error = ValueError()
    judged = judge(attempt(failed=[(B, error), (A, error)]), past, POLICY)
    assert isinstance(judged.outcome, Retry)
    assert judged.outcome.delay == 1
    assert judged.past == Past(attempts=3, failures={A.name: 3, B.name: 1}, waiting=[B], given_up=((A, error),))


def test_a_record_is_retried_after_the_longest_delay_of_its_failed_receivers() -> None:
    past = Past(failures={C.name: 1})
    judged = judge(attempt(failed=[(B, ValueError()), (C, ValueError())], held=[A], ran=True), past, POLICY)
    assert isinstance(judged.outcome, Retry)
    assert judged.outcome.delay == 2
    assert judged.past.waiting == [A, B, C]


def test_an_outage_does_not_count_as_an_attempt_and_doubles_the_delay() -> None:
    past, delays = NOTHING_YET, []
    for _ in range(3):
        judged = judge(attempt(failed=[(A, KeyError())], away="database"), past, POLICY)
        assert isinstance(judged.outcome, Hold)
        past = judged.past
        delays.append(judged.outcome.delay)
    assert delays == [1, 2, 4]
    assert past == Past(holds=3, away="database", waiting=[A])


def test_a_record_is_held_until_the_next_probe_while_a_circuit_is_open() -> None:
    judged = judge(attempt(held=[A], ran=True, probe_in=7), NOTHING_YET, POLICY)
    assert isinstance(judged.outcome, Hold)
    assert isinstance(judged.outcome.error, CircuitOpen)
    assert judged.outcome.error.receivers == (A.name,)
    assert (judged.outcome.delay, judged.past.attempts, judged.past.waiting) == (7, 0, [A])


def test_a_record_is_given_up_for_a_paused_receiver_only_after_its_other_receivers_have_ended() -> None:
    judged = judge(attempt(paused=[A], failed=[(B, ValueError())], ran=True), NOTHING_YET, POLICY)
    assert isinstance(judged.outcome, Retry)
    assert judged.past.is_paused_only
    judged = judge(attempt(receivers=[B], ran=True), judged.past, POLICY)
    assert isinstance(judged.outcome, GiveUp)
    assert judged.past.verdict is judged.outcome
    assert isinstance(judged.outcome.error, ReceiversFailed)
    assert [type(error) for error in judged.outcome.error.exceptions] == [ReceiverPaused]


def test_c6_a_record_that_becomes_unreadable_at_a_retry_is_given_up_for_the_waiting_receivers() -> None:
    """Each attempt decodes the record again, and the decoding may fail."""
    error = ValueError()
    past = Past(attempts=1, failures={A.name: 1}, waiting=[A], given_up=((B, error),))
    judged = judge(Attempt(error=FINAL), past, POLICY)
    assert isinstance(judged.outcome, GiveUp)
    assert isinstance(judged.outcome.error, ReceiversFailed)
    assert judged.outcome.error.receivers == (B.name, A.name)
    assert judged.outcome.error.exceptions == (error, FINAL)


def test_an_unreadable_record_is_given_up_for_all_receivers_at_the_first_attempt() -> None:
    judged = judge(Attempt(error=FINAL), NOTHING_YET, POLICY)
    assert judged.outcome == GiveUp(FINAL)
    assert judged.past.attempts == 1


@pytest.mark.parametrize("error", [FINAL, KeyError()])
def test_a_record_is_held_while_a_server_is_unreachable(error: Exception) -> None:
    judged = judge(Attempt(error=error, away="schema registry"), Past(attempts=1, waiting=[A]), POLICY)
    assert judged.outcome == Hold(error, 1)
    assert judged.past == Past(attempts=1, holds=1, away="schema registry", waiting=[A])


@given(st.data())
def test_each_receiver_either_succeeds_or_waits_or_is_given_up(data: st.DataObject) -> None:
    past, waiting, succeeded = NOTHING_YET, RECEIVERS, set[str]()
    ends = st.sampled_from(("succeeds", "succeeds", "fails", "is final", "opens", "held", "paused"))
    for _ in range(20):
        ways = {one.name: data.draw(ends) for one in waiting}
        those = {way: [one for one in waiting if ways[one.name] == way] for way in set(ways.values())}
        failing = [*those.get("fails", []), *those.get("is final", []), *those.get("opens", [])]
        failed: list[tuple[Receiver, Exception]] = [
            (one, KeyError() if ways[one.name] == "is final" else ValueError()) for one in failing
        ]
        away = data.draw(st.sampled_from(("", "", "database"))) if failed else ""
        judged = judge(
            Attempt(
                receivers=waiting,
                ran=bool(those.get("succeeds", []) or failing),
                failed=failed,
                held=those.get("held", []),
                paused=those.get("paused", []),
                opened={one.name for one in those.get("opens", [])},
                away=away,
            ),
            past,
            POLICY,
        )
        succeeded |= {one.name for one in those.get("succeeds", [])}
        past = judged.past
        given_up = {one.name for one, _ in past.given_up}
        if judged.outcome is DONE:
            assert succeeded == {one.name for one in RECEIVERS}
            return
        waiting = past.waiting or []
        names = {one.name for one in waiting}
        assert sorted([*succeeded, *given_up, *names]) == sorted(one.name for one in RECEIVERS)
        assert isinstance(judged.outcome, GiveUp) == (not waiting)
        assert all(count <= POLICY.attempts for count in past.failures.values())
        if not waiting:
            return
