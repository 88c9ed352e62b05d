"""
The circuit of a receiver opens after a number of consecutive failures, if these failures belong to enough different
keys.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from event_bus_kafka.dispatching.circuit import Circuit, CircuitPolicy, Permit

POLICY = CircuitPolicy(failures=4, keys=3, probe_every=10)


def fail(circuit: Circuit, *keys: str, now: float = 0) -> list[bool]:
    """Report one failure for each key. Return, for each failure, whether it opened the circuit."""
    opened = []
    for key in keys:
        permit = circuit.permit(now)
        assert permit is not None
        opened.append(circuit.failed(permit, key, now))
    return opened


def opened() -> Circuit:
    circuit = Circuit(POLICY)
    fail(circuit, "a", "b", "c", "d")
    assert circuit.is_open
    return circuit


def test_the_circuit_opens_after_consecutive_failures_of_enough_keys() -> None:
    assert fail(Circuit(POLICY), "a", "b", "c", "a") == [False, False, False, True]


def test_the_circuit_stays_closed_if_only_few_keys_fail() -> None:
    assert not any(fail(Circuit(POLICY), *"ab" * 1000))


def test_a_success_resets_the_count_of_failures() -> None:
    circuit = Circuit(POLICY)
    fail(circuit, "a", "b", "c")
    assert not circuit.succeeded()
    assert circuit.is_calm
    assert fail(circuit, "a", "a", "a", "a", "b", "c") == [False] * 5 + [True]


def test_an_open_circuit_permits_one_probe_at_a_time_after_each_interval() -> None:
    circuit = opened()
    assert circuit.permit(9.9) is None
    probe = circuit.permit(10)
    assert probe is not None
    assert circuit.permit(1000) is None, "a second probe while the first is on its way"
    assert not circuit.failed(probe, "a", 1000)
    assert circuit.permit(1009.9) is None
    assert circuit.permit(1010) is not None


def test_the_success_of_a_probe_closes_the_circuit() -> None:
    circuit = opened()
    assert circuit.permit(10) is not None
    assert circuit.succeeded()
    assert circuit.is_calm
    assert circuit.permit(10) is not None


def test_a_probe_is_not_ended_by_an_attempt_that_began_before_the_circuit_opened() -> None:
    circuit = Circuit(POLICY)
    late = circuit.permit(0)
    assert late is not None
    fail(circuit, "a", "b", "c", "d")
    assert circuit.permit(10) is not None
    circuit.failed(late, "e", 11)
    circuit.came_to_nothing(late, 11)
    assert circuit.permit(50) is None, "a second probe while the first is on its way"


def test_a_probe_that_ends_in_an_outage_is_repeated_after_the_interval() -> None:
    circuit = opened()
    probe = circuit.permit(10)
    assert probe is not None
    circuit.came_to_nothing(probe, 12)
    assert circuit.is_open
    assert (circuit.permit(21), circuit.seconds_to_probe(12)) == (None, 10)
    assert circuit.permit(22) is not None


def test_events_are_held_until_the_next_probe_or_for_one_interval_if_a_probe_is_due_or_running() -> None:
    circuit = opened()
    assert circuit.seconds_to_probe(3) == 7
    assert circuit.seconds_to_probe(10) == 10
    assert circuit.permit(10) is not None
    assert circuit.seconds_to_probe(30) == 10, "while a long probe is on its way"


class AnyOrder(RuleBasedStateMachine):
    """
    Starts and ends attempts in any order, as lanes do. Records the expected state of the circuit, and compares it with
    the actual state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit(POLICY)
        self.now = 0.0
        self.running: list[tuple[Permit, int]] = []
        self.row: list[int] = []  # keys of the consecutive failures
        self.probes: list[Permit] = []

    @rule(key=st.integers(0, 4))
    def begin(self, key: int) -> None:
        permit = self.circuit.permit(self.now)
        if permit is None:
            assert self.circuit.is_open
            return
        if self.circuit.is_open:
            self.probes.append(permit)
        self.running.append((permit, key))

    @rule(seconds=st.sampled_from([1.0, 9.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(["failed", "failed", "failed", "succeeded", "outage"]))
    def end(self, data: st.DataObject, end: str) -> None:
        permit, key = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        was_open = self.circuit.is_open
        if end == "failed":
            self.row.append(key)
            opened = self.circuit.failed(permit, key, self.now)
            enough = len(self.row) >= POLICY.failures and len(set(self.row)) >= POLICY.keys
            assert opened == (enough and not was_open)
        elif end == "succeeded":
            assert self.circuit.succeeded() == was_open
            self.row, self.probes = [], []
        else:
            self.circuit.came_to_nothing(permit, self.now)
        self.probes = [one for one in self.probes if one is not permit]

    @invariant()
    def one_probe_at_most(self) -> None:
        assert len(self.probes) <= 1

    def teardown(self) -> None:
        """Let all running attempts fail, and check that the circuit permits an attempt one interval later."""
        for permit, key in self.running:
            self.circuit.failed(permit, key, self.now)
        assert self.circuit.permit(self.now + POLICY.probe_every) is not None


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=3 * settings().max_examples, stateful_step_count=60)
