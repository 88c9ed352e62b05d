"""
The records of a key are processed in order, one at a time. Records of other keys may be processed at the same time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.consuming.scheduler import Scheduler
from event_bus_kafka.dispatching.outcomes import DONE, Hold, Outcome, Retry
from event_bus_kafka.telemetry.events import ReceiverUnfinished
from tests.support.watching import watched
from tests.unit.consuming.scheduling import record, scheduling, submit, until


def test_records_with_the_same_key_are_processed_in_order() -> None:
    seen: list[int] = []

    def process(delivery: Delivery) -> Outcome:
        seen.append(delivery.offset)
        return DONE

    with scheduling(process, lanes=4) as scheduler:
        deliveries = submit(scheduler, PartitionProgress("t", 0), *map(record, range(500)))
        until(lambda: all(delivery.done for delivery in deliveries))
    assert seen == list(range(500))


def test_a_key_that_waits_for_a_retry_does_not_delay_other_keys() -> None:
    attempts: list[tuple[bytes | None, int]] = []
    release = threading.Event()

    def process(delivery: Delivery) -> Outcome:
        assert delivery.record is not None
        attempts.append((delivery.record.key, delivery.offset))
        failing = delivery.record.key == b"bad" and not release.is_set()
        return Retry(ValueError(), 0.01) if failing else DONE

    with scheduling(process) as scheduler:
        partition = PartitionProgress("t", 0)
        bad = submit(scheduler, partition, record(0, b"bad"), record(1, b"bad"))
        good = submit(scheduler, partition, *(record(offset, b"good") for offset in range(2, 50)))
        until(lambda: all(delivery.done for delivery in good), scheduler)
        assert (b"bad", 1) not in attempts
        release.set()
        until(lambda: all(delivery.done for delivery in bad), scheduler)
    assert [offset for key, offset in attempts if key == b"bad"][-2:] == [0, 1]


def test_the_position_of_a_partition_stops_at_the_first_unfinished_record() -> None:
    partition = PartitionProgress("t", 0)
    deliveries = [partition.take(record(offset)) for offset in (3, 5, 9)]
    deliveries[0].finish()
    deliveries[2].finish()
    partition.advance()
    assert (partition.position, partition.unsettled) == (4, 2)
    deliveries[1].finish()
    partition.advance()
    assert (partition.position, partition.uncommitted, partition.unsettled, partition.size) == (10, 10, 0, 0)


def held() -> tuple[Callable[[Delivery], Outcome], threading.Event, threading.Event]:
    """
    Return a function and two ``threading.Event`` objects. The function sets the first object when it starts. Then it
    waits until the second object is set, for at most five seconds.
    """
    started, release = threading.Event(), threading.Event()

    def process(delivery: Delivery) -> Outcome:
        started.set()
        release.wait(5)
        return DONE

    return process, started, release


def test_releasing_partitions_waits_for_running_receivers_and_drops_waiting_records() -> None:
    process, started, release = held()
    with scheduling(process) as scheduler:
        partition = PartitionProgress("t", 0)
        first, second = submit(scheduler, partition, record(0), record(1))
        assert started.wait(5)
        threading.Timer(0.05, release.set).start()
        assert scheduler.release([partition], timeout=5) == 0
        assert first.done
        until(lambda: not scheduler._actors["t", 0, b"k"].deliveries)
        assert not second.done


def test_lanes_process_unfinished_records_of_a_revoked_partition_before_records_of_other_partitions() -> None:
    """
    Later records of the partition may be finished while an unfinished record is queued behind hundreds of records of
    other partitions. If the lanes processed these other records first, the time limit of the revocation could pass.
    """
    seen: list[bytes | None] = []
    goes_on = threading.Event()

    def process(delivery: Delivery) -> Outcome:
        assert delivery.record is not None
        key = delivery.record.key
        if key == b"0":
            goes_on.wait(60)
        seen.append(key)
        return DONE

    leaving, staying = PartitionProgress("t", 0), PartitionProgress("t", 1)
    hole, done = leaving.take(record(0, b"hole")), leaving.take(record(1, b"done"))
    scheduler = Scheduler(process, lanes=1, pause=lambda _: goes_on.set())
    scheduler.submit(done)
    others = submit(scheduler, staying, *(record(offset, b"%d" % offset, 1) for offset in range(100)))
    scheduler.submit(hole)
    scheduler.start()
    until(lambda: done.done)
    assert scheduler.release([leaving], timeout=60, staying=[staying]) == 0
    assert seen == [b"done", b"0", b"hole"]
    until(lambda: all(one.done for one in others), scheduler)
    scheduler.stop()


def test_a_partial_revocation_does_not_reopen_partitions_that_a_stop_has_closed() -> None:
    """A lane whose receiver ends late must not start another record while the worker leaves its group."""
    first, second = PartitionProgress("t", 0), PartitionProgress("t", 1)
    scheduler = Scheduler(lambda _: DONE, lanes=1)
    scheduler.release([first, second], timeout=0)
    scheduler.release([first], timeout=0, staying=[second])
    assert second.may_begin(0) is False


def test_releasing_partitions_does_not_wait_for_unfinished_records_after_all_lanes_have_ended() -> None:
    """
    After a receiver has raised SystemExit in a worker with one lane, no lane can finish the other records. A wait for
    these records would last until its time limit.
    """

    def process(delivery: Delivery) -> Outcome:
        if delivery.offset == 2:
            raise SystemExit
        return DONE

    def pause(_: float) -> None:
        raise AssertionError("it waits")

    partition = PartitionProgress("t", 0)
    scheduler = Scheduler(process, lanes=1, pause=pause)
    hole = partition.take(record(0, b"hole"))
    submit(scheduler, partition, record(1), record(2))
    scheduler.submit(hole)
    scheduler.start()
    until(lambda: scheduler.failure is not None)
    assert scheduler.release([partition], timeout=60) == 0
    assert partition.position is None


def test_the_wait_for_receivers_is_cut_short_if_the_worker_must_end_quickly() -> None:
    started, release = threading.Event(), threading.Event()
    scheduler: list[Scheduler] = []

    def process(delivery: Delivery) -> Outcome:
        started.set()
        release.wait(60)
        return DONE

    hurry = iter([lambda: scheduler[0].hurry(0.01)])  # only once, since each call begins the time limit anew
    scheduler.append(Scheduler(process, lanes=1, pause=lambda _: next(hurry, lambda: None)()))
    partition = PartitionProgress("t", 0)
    submit(scheduler[0], partition, record(0))
    scheduler[0].start()
    assert started.wait(60)
    assert scheduler[0].release([partition], timeout=3600) == 1
    release.set()
    scheduler[0].stop()


def test_releasing_partitions_reports_receivers_that_still_run_after_the_timeout() -> None:
    release = threading.Event()
    started = threading.Event()

    def process(delivery: Delivery) -> Outcome:
        started.set()
        release.wait(5)
        return DONE

    with scheduling(process) as scheduler:
        partition = PartitionProgress("t", 0)
        submit(scheduler, partition, record(0))
        assert started.wait(5)
        with watched(ReceiverUnfinished) as told:
            assert scheduler.release([partition], timeout=0.01) == 1
        assert [one.record for one in told] == ["t:0:0"]
        assert "release.wait(5)" in told[0].stack
        release.set()


def test_releasing_a_partition_waits_for_receivers_that_started_in_an_earlier_assignment() -> None:
    """
    The partition was lost, assigned again, and revoked before any of its records was read again. A receiver of the
    first assignment is still running.
    """
    process, started, release = held()
    with scheduling(process) as scheduler:
        lost, again = PartitionProgress("t", 0), PartitionProgress("t", 0)
        submit(scheduler, lost, record(0))
        assert started.wait(5)
        assert scheduler.release([lost], timeout=0) == 1
        with watched(ReceiverUnfinished) as told:
            assert scheduler.release([again], timeout=0.01) == 1
            assert scheduler.release([], timeout=0.01, names=[("t", 0)]) == 1
            assert scheduler.release([], timeout=0.01, names=[("t", 1)]) == 0
        assert [one.record for one in told] == ["t:0:0"] * 2
        threading.Timer(0.05, release.set).start()
        assert scheduler.release([again], timeout=5) == 0


def test_a_retry_from_a_revoked_assignment_does_not_delay_its_key_in_the_next_assignment() -> None:
    done: list[PartitionProgress] = []

    def process(delivery: Delivery) -> Outcome:
        if delivery.partition is old:
            return Retry(ValueError(), 3600)
        done.append(delivery.partition)
        return DONE

    with scheduling(process) as scheduler:
        old, new = PartitionProgress("t", 0), PartitionProgress("t", 0)
        submit(scheduler, old, record(0))
        until(lambda: bool(scheduler._waiting), scheduler)
        scheduler.release([old], timeout=1)
        submit(scheduler, new, record(0))
        until(lambda: done == [new], scheduler)


def test_system_exit_becomes_the_failure_of_the_scheduler_and_leaves_the_record_unfinished() -> None:
    def process(delivery: Delivery) -> Outcome:
        raise SystemExit(5)

    with scheduling(process) as scheduler:
        (delivery,) = submit(scheduler, PartitionProgress("t", 0), record(0))
        until(lambda: scheduler.failure is not None)
        assert isinstance(scheduler.failure, SystemExit)
        assert not delivery.done


def test_c5_a_finished_record_is_freed_even_if_an_earlier_record_is_unfinished() -> None:
    with scheduling(lambda delivery: Hold(ValueError(), 60) if delivery.offset == 0 else DONE) as scheduler:
        partition = PartitionProgress("t", 0)
        (held,) = submit(scheduler, partition, record(0, b"held"))
        later = record(1, b"another")
        (done,) = submit(scheduler, partition, later)
        until(lambda: done.done)
        known = weakref.ref(later)
        del later
        assert (partition.advance(), partition.unsettled) == (held, 2)
        assert held.record is not None
        until(lambda: known() is None)


def test_the_scheduler_forgets_keys_without_records() -> None:
    with scheduling(lambda delivery: DONE, lanes=2) as scheduler:
        scheduler._sweep_above = 100
        partition = PartitionProgress("t", 0)
        deliveries = submit(scheduler, partition, *(record(number, b"%d" % number) for number in range(500)))
        until(lambda: all(delivery.done for delivery in deliveries))
        until(lambda: len(scheduler._actors) < 10, scheduler)
        (late,) = submit(scheduler, partition, record(1000, b"1"))
        until(lambda: late.done)


def test_a_waiting_record_is_processed_even_if_the_search_for_idle_keys_has_locked_its_key() -> None:
    """A sweep removes the keys without records from the scheduler. The sweep locks each key to look at its records."""
    scheduler = Scheduler(lambda delivery: DONE, lanes=1)
    (delivery,) = submit(scheduler, PartitionProgress("t", 0), record(0))
    actor = scheduler._ready.get()
    assert actor is not None
    actor.busy.release()  # as a lane does that runs an earlier record of the key
    scheduler._sweep_above = 0
    scheduler.tick()  # meanwhile the lane finds the key locked by the sweep
    scheduler.start()
    scheduler.stop()
    until(lambda: not any(lane.is_alive() for lane in scheduler.lanes))
    assert delivery.done
