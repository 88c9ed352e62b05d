"""Faults of requested replays of topics, and of requested backfills: records twice or never, progress that is wrong."""

from __future__ import annotations

from tests.mutants.fault import Fault

_RUNS = "unit/replaying/test_requested_runs.py"
_BATCHES = "unit/producing/test_backfill.py"
_PAGES = ("unit/admin/test_requested_runs.py",)
_COMMANDS = ("unit/management/test_run_requests.py",)

FAULTS = (
    Fault(
        name="a requested run has a group that workers of the version before look for",
        file="operations/requested_runs/run_requests.py",
        scope="request_run",
        old="_NO_GROUP",
        new="wish.group",
        harm="a worker that knows of letters alone takes a replay of a topic, finds no letter, and ends it as done",
        tests=(f"{_RUNS}::test_a_worker_of_the_version_before_sees_no_request_of_a_run",),
    ),
    Fault(
        name="two workers save the progress of one run",
        file="models/requested/runs.py",
        scope="RequestedRunQuerySet.save_progress",
        old="self.filter(request=request, holder=by)",
        new="self.filter(request=request)",
        harm="a worker that stood still puts the token back, and all since comes again",
        tests=(
            f"{_RUNS}::test_only_who_holds_a_run_saves_its_progress",
            f"{_RUNS}::test_another_worker_goes_on_where_a_dead_one_was_and_the_dead_one_saves_nothing_more",
        ),
    ),
    Fault(
        name="the token is not written while a run lasts",
        file="replaying/request_runner.py",
        scope="RequestRunner._fill",
        old="self._save()",
        new="pass",
        harm="when a worker dies, a replay of hours begins anew",
        tests=(f"{_RUNS}::test_another_worker_goes_on_where_a_dead_one_was_and_the_dead_one_saves_nothing_more",),
    ),
    Fault(
        name="a stop hands back a run without its newest token",
        file="replaying/requested_runs.py",
        scope="RequestedRuns.release",
        old="self.save()",
        new="pass",
        harm="at each deploy records come again",
        tests=(_RUNS,),
    ),
    Fault(
        name="a position passes a record that has not ended",
        file="replaying/read_records.py",
        scope="ReadRecords.end",
        old="window and window[0].is_over",
        new="window",
        harm="a record that ran in a killed worker is never given to its receivers",
        tests=(f"{_RUNS}::test_results_count_in_the_order_of_the_records",),
    ),
    Fault(
        name="a record at which workers die is tried for ever",
        file="replaying/requested_runs.py",
        scope="RequestedRuns.begin",
        old="begun.progress.deaths >= _DEATHS",
        new="False",
        harm="one record ends all workers of a group, one after the other",
        tests=(f"{_RUNS}::test_one_at_which_workers_die_is_stopped",),
    ),
    Fault(
        name="a run that was handed back is taken for one whose worker died",
        file="replaying/requested_runs.py",
        scope="RequestedRuns.release",
        old="self._begun.rows.release(self._begun.request, by=self.by)",
        new="pass",
        harm="three deploys stop a replay",
        tests=(f"{_RUNS}::test_a_stop_hands_it_back_with_the_newest_position",),
    ),
    Fault(
        name="receivers cannot tell that a worker replays a topic",
        file="operations/record_replay.py",
        scope="replaying",
        old="attrs.evolve(processor, skip_unknown_types=True, context=replay_context, stored=reporting.replay_failed)",
        new="attrs.evolve(processor, skip_unknown_types=True, stored=reporting.replay_failed)",
        harm="learners get all mails of a year again",
        tests=(f"{_RUNS}::test_receivers_get_the_records_again_and_failures_are_listed",),
    ),
    Fault(
        name="a requested backfill begins at the first item",
        file="replaying/batch_run.py",
        scope="BatchRun._send",
        old="self.source.items(self.progress.token)",
        new="self.source.items(None)",
        harm="each batch sends the same items again",
        tests=(f"{_RUNS}::test_a_backfill_begins_after_its_token_and_ends_at_its_limit",),
    ),
    Fault(
        name="a batch gives up what other threads send at the same time",
        file="producing/backfill.py",
        scope="Backfill._send",
        old="self._confirm(ends)",
        new="self.producer.prepare_for_shutdown()",
        harm="a backfill in a worker sends events of its receivers twice, and each batch waits for them",
        tests=(_BATCHES,),
    ),
    Fault(
        name="a run is requested of offsets that no page has shown",
        file="admin/replay_requests/run_pages.py",
        scope="RunPages._plan_of",
        old="CONFIRMED in request.POST and planned.is_settled and not planned.is_empty",
        new="CONFIRMED in request.POST and not planned.is_empty",
        harm="receivers run for events that nobody has counted",
        tests=_PAGES,
    ),
    Fault(
        name="whoever may look has topics replayed",
        file="admin/replay_requests/run_pages.py",
        scope="RunPages.run_paths",
        old='self.action_at(f"{name}/plan/", self._plan_of(name, asking), f"{name}_plan", Right.REPLAY)',
        new='self.action_at(f"{name}/plan/", self._plan_of(name, asking), f"{name}_plan", Right.VIEW)',
        harm="viewers have mails sent",
        tests=_PAGES,
    ),
    Fault(
        name="the key of a requested replay is shown",
        file="operations/requested_runs/run_report.py",
        scope="run_json",
        old='{name: value for name, value in run.arguments.items() if name != "key"}',
        new="dict(run.arguments)",
        harm="what identifies a learner is in terminals and their logs",
        tests=_COMMANDS,
    ),
    Fault(
        name="where no worker could do a run, nobody is told",
        file="operations/requested_runs/run_obstacles.py",
        scope="_could_do",
        old='worker.is_alive and state.get("is_alive", True) and state.get("takes_runs")',
        new="worker.is_alive",
        harm="during a deploy a request waits for workers that will never take it",
        tests=_PAGES,
    ),
)
