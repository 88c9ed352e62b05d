"""Faults in reports about the state of the bus: neglects, and the command ``event_bus_status``."""

from __future__ import annotations

from tests.mutants.fault import Fault

_NEGLECTS = ("unit/operations/test_neglects.py",)
_STATUS = ("unit/operations/test_status.py",)
_WATCH = ("unit/operations/test_neglect_watch.py",)

FAULTS = (
    Fault(
        name="heartbeats wait for the look for neglects",
        file="assembly/housekeeping.py",
        scope="_watch_neglects",
        old="watchman",
        new="housekeeper",
        harm="one of several databases hangs, and the workers of all others are taken for dead",
        tests=("unit/assembly/test_housekeeping.py",),
    ),
    Fault(
        name="a relay that died counts as one that works off the outbox",
        file="operations/neglects/in_tables.py",
        scope="_why_unsent",
        old='run.kind == "relay" and run.state["database"] == alias and run.is_alive',
        new='run.kind == "relay" and run.state["database"] == alias',
        harm="events wait for ever and nobody is told",
        tests=_NEGLECTS,
    ),
    Fault(
        name="a relay that cannot send counts as one that works off the outbox",
        file="operations/neglects/in_tables.py",
        scope="_why_unsent",
        old='run.state["is_alive"] and not run.state["obstacles"]',
        new='run.state["is_alive"]',
        harm="events wait for ever and nobody is told",
        tests=_NEGLECTS,
    ),
    Fault(
        name="a topic that is held by a relay that is gone is told",
        file="operations/neglects/in_tables.py",
        scope="_held_topics",
        old='run.state.get("held_topics", ()) if run.is_alive else ()',
        new='run.state.get("held_topics", ())',
        harm="an alarm that nothing ends for a day",
        tests=_NEGLECTS,
    ),
    Fault(
        name="an end is near only in the last seven days of a short retention",
        file="operations/neglects/in_tables.py",
        scope="_nearly",
        old="min(catalogue.NEAR_THE_END, kept * catalogue.NEAR_THE_END_SHARE)",
        new="catalogue.NEAR_THE_END",
        harm="with a retention of a few days every dead letter is an alarm",
        tests=_NEGLECTS,
    ),
    Fault(
        name="kinds that are not found any more have no series",
        file="operations/neglects/watch.py",
        scope="NeglectWatch.counts",
        old="{kind.id: 0 for kind in catalogue.CATALOGUE if not kind.needs_kafka}",
        new="{}",
        harm="an alert never ends",
        tests=_WATCH,
    ),
    Fault(
        name="what was found stays while the database is away",
        file="operations/neglects/watch.py",
        scope="NeglectWatch.look",
        old="self._found = None",
        new="pass",
        harm="an alert tells of what was mended long ago",
        tests=_WATCH,
    ),
    Fault(
        name="nothing is known while a look goes on",
        file="operations/neglects/watch.py",
        scope="NeglectWatch.look",
        old="found = self._look()",
        new="self._found = None; found = self._look()",
        harm="alerts with for: begin anew each minute",
        tests=_WATCH,
    ),
    Fault(
        name="each look warns again",
        file="operations/neglects/watch.py",
        scope="NeglectWatch.look",
        old="self._has_told = True",
        new="pass",
        harm="a log full of one line a minute, from each worker",
        tests=_WATCH,
    ),
    Fault(
        name="neglect makes a worker not ready",
        file="worker/health_port.py",
        scope="Pages._ready",
        old='Answer.of(HTTPStatus.OK, "ready", *remarks)',
        new='Answer.of(HTTPStatus.SERVICE_UNAVAILABLE if remarks else HTTPStatus.OK, "ready", *remarks)',
        harm="an orchestrator restarts workers for dead letters",
        tests=("unit/worker/test_health_port.py",),
    ),
    Fault(
        name="a server that says nothing is waited for",
        file="operations/status/look.py",
        scope="_Answer.wait",
        old="self.thread.join(max(self.began + longest[self.server] - monotonic(), 0))",
        new="self.thread.join()",
        harm="the command hangs when it is needed most",
        tests=_STATUS,
    ),
    Fault(
        name="a status without Kafka ends with 0",
        file="management/commands/event_bus_status.py",
        scope="_judge",
        old=(
            '[f"the look at {one.server} failed" if one.is_fault else f"{one.server} gave no answer" '
            "for one in status.unanswered]"
        ),
        new="[]",
        harm="a pipeline takes silence for health",
        tests=_STATUS,
    ),
    Fault(
        name="findings end with 0",
        file="management/commands/event_bus_status.py",
        scope="_judge",
        old='reasons.append(number(len(status.findings), "finding"))',
        new="pass",
        harm="a pipeline deploys against missing topics",
        tests=_STATUS,
    ),
    Fault(
        name="workers that have stopped count for their version",
        file="operations/status/checks.py",
        scope="of_versions",
        old="run.is_alive and run.version != own",
        new="run.version != own",
        harm="each deploy is followed by findings for a day",
        tests=_STATUS,
    ),
    Fault(
        name="a compacted topic is taken for one that deletes",
        file="operations/status/kafka_status.py",
        scope="_topic",
        old='retention >= 0 and "delete" in policy',
        new="retention >= 0",
        harm="a false alarm for each compacted topic",
        real=("real/test_status.py::test_unread_records_near_the_end_of_the_retention_are_a_finding",),
    ),
    Fault(
        name="records that were deleted unread are not seen",
        file="operations/status/kafka_status.py",
        scope="_unread",
        old="return [one for one in found if one.lag or one.lost]",
        new="return [one for one in found if one.lag]",
        harm="events are lost and nobody is told",
        real=("real/test_status.py::test_records_deleted_before_they_were_read_are_a_finding",),
    ),
)
