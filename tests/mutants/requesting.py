"""
Faults in replay requests: dead letters that are replayed twice or never, delays of live events, and workers that never
return a request.
"""

from __future__ import annotations

from tests.mutants.fault import Fault

_RUN = "unit/replaying/test_request_run.py"
_PAGES = ("unit/admin/test_replay_requests.py",)

FAULTS = (
    Fault(
        name="a replay request rests for no longer than its letter took",
        file="replaying/request_run.py",
        scope="RequestRun._process",
        old="self._rests_until = max(self._rests_until, now + _REST * (now - began))",
        new="self._rests_until = max(self._rests_until, now + (now - began))",
        harm="live events have half of their rate while letters are replayed",
        tests=(f"{_RUN}::test_a_busy_worker_runs_one_letter_at_a_time_and_rests_between_letters",),
    ),
    Fault(
        name="a replay request has all lanes beside live events",
        file="replaying/request_run.py",
        scope="RequestRun._has_room",
        old="counted < (1 if is_busy else self._lanes.count)",
        new="counted < self._lanes.count",
        harm="live events wait for letters",
        tests=(f"{_RUN}::test_a_busy_worker_runs_one_letter_at_a_time_and_rests_between_letters",),
    ),
    Fault(
        name="a letter that waits for a record of its key keeps the request waiting",
        file="replaying/request_run.py",
        scope="RequestRun._has_room",
        old="one.has_begun or now - since < _STUCK_AFTER",
        new="True",
        harm="one key that is held stops a whole replay",
        tests=(f"{_RUN}::test_letters_that_wait_for_their_keys_do_not_prevent_others_from_starting",),
    ),
    Fault(
        name="a worker without beats begins letters of a replay request",
        file="replaying/request_run.py",
        scope="RequestRun._process",
        old="began > self._fresh_until",
        new="False",
        harm="two workers give one letter to its receivers",
        tests=(f"{_RUN}::test_a_worker_without_a_heartbeat_for_30_seconds_starts_no_letter",),
    ),
    Fault(
        name="a letter begins although its replay request has halted",
        file="replaying/request_run.py",
        scope="RequestRun._process",
        old="if self.halt is None:\n"
        "    self._run(letter, delivery)\n"
        "    now = self._clock()\n"
        "    self._rests_until = max(self._rests_until, now + _REST * (now - began))",
        new="self._run(letter, delivery)\n"
        "now = self._clock()\n"
        "self._rests_until = max(self._rests_until, now + _REST * (now - began))",
        harm="what was paused or cancelled goes on, and a letter whose request is another worker's runs twice",
        tests=(f"{_RUN}::test_letters_submitted_before_a_halt_do_not_start",),
    ),
    Fault(
        name="the rate of a replay request is made up for without end",
        file="replaying/request_run.py",
        scope="RequestRun.submit",
        old="max(self._due, now - _MADE_UP_FOR) + 1 / self._rate",
        new="self._due + 1 / self._rate",
        harm="after a pause all letters come at once",
        tests=(f"{_RUN}::test_letters_start_no_faster_than_the_rate_even_after_a_delay",),
    ),
    Fault(
        name="a letter that has failed since it was requested runs again",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="planned.letter.last_failed_at != requested.failed_at and not is_ours",
        new="False",
        harm="two requests for the same letters run each twice",
        tests=(f"{_RUN}::test_a_letter_that_failed_again_after_the_request_is_skipped",),
    ),
    Fault(
        name="a letter at which workers die runs for ever",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="requested.tries >= _TRIES",
        new="False",
        harm="one letter ends all workers of a group, one after the other",
        tests=(f"{_RUN}::test_a_letter_is_retried_after_its_worker_died_and_counts_as_failed_after_three_deaths",),
    ),
    Fault(
        name="the claim of a dead worker is taken for somebody else's",
        file="dead_letters/pending.py",
        scope="is_claimed",
        old="failure.claimed_until > now and failure.claimed_until != own",
        new="failure.claimed_until > now",
        harm="the letter at which a worker was killed is skipped",
        tests=(f"{_RUN}::test_a_letter_is_retried_after_its_worker_died_and_counts_as_failed_after_three_deaths",),
    ),
    Fault(
        name="a letter that a killed worker has brought through is reported as skipped",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="return LetterEnd(LetterState.SUCCEEDED) if had_begun else None",
        new="return None",
        harm="the report is wrong",
        tests=(
            f"{_RUN}::test_a_deleted_letter_counts_as_succeeded_if_its_replay_had_started_and_otherwise_as_skipped",
        ),
    ),
    Fault(
        name="a replay request is taken from a worker that lives",
        file="models/replay_requests.py",
        scope="ReplayRequestQuerySet._free",
        old="models.Q(claimed_by=None) | silent",
        new="models.Q(state__in=_TO_RUN)",
        harm="two workers do one request",
        real=("real/test_request_claims.py::test_one_of_many_concurrent_workers_takes_a_request[postgresql]",),
    ),
    Fault(
        name="a worker goes on with a replay request that is not its own any more",
        file="models/replay_requests.py",
        scope="ReplayRequestQuerySet._running",
        old="self.filter(pk=request, claimed_by=by, state=RequestState.RUNNING)",
        new="self.filter(pk=request)",
        harm="two workers do one request, and a pause is not heard",
        real=(
            "real/test_request_claims.py::test_another_worker_takes_a_request_a_minute_after_its_last_heartbeat[postgresql]",
        ),
    ),
    Fault(
        name="a stop does not wait for a letter that runs",
        file="consuming/consumer.py",
        scope="Consumer.stop",
        old="self._scheduler.release(self._partitions.values(), timeout=timeout, names=replayed)",
        new="self._scheduler.release(self._partitions.values(), timeout=timeout)",
        harm="receivers are cut off at each deploy",
        real=(
            "real/test_replay_requests.py::test_a_stopped_worker_finishes_running_letters_and_returns_the_request[postgresql]",
        ),
    ),
    Fault(
        name="a stop leaves the replay request to a claim that has to expire",
        file="assembly/replaying.py",
        scope="request_runner",
        old="periodically(at_end, lambda: runner.turn_every, name, runner.turn, last=runner.hand_back)",
        new="periodically(at_end, lambda: runner.turn_every, name, runner.turn)",
        harm="at each deploy a replay stands still for a minute",
        real=(
            "real/test_replay_requests.py::test_a_stopped_worker_finishes_running_letters_and_returns_the_request[postgresql]",
        ),
    ),
    Fault(
        name="a replay is requested without a page that says what would run",
        file="admin/replay_requests/requests_page.py",
        scope="ReplayRequestsPage._request",
        old="CONFIRMED in request.POST and until and asked.is_valid and planned and planned.requested",
        new="asked.receivers.is_valid() and planned and planned.requested",
        harm="receivers run for events that nobody has counted",
        tests=_PAGES,
    ),
    Fault(
        name="letters that failed after the plan are requested with it",
        file="admin/replay_requests/requests_page.py",
        scope="ReplayRequestsPage._request",
        old="meant.until(until)",
        new="meant.until(None)",
        harm="receivers run for events that nobody has seen in the plan",
        tests=_PAGES,
    ),
    Fault(
        name="a replay that is requested on a page is in no history",
        file="admin/replay_requests/requests_page.py",
        scope="ReplayRequestsPage._make",
        old="write_history(request, self, words, str(one.pk))",
        new="pass",
        harm="nobody knows who had receivers run",
        tests=_PAGES,
    ),
    Fault(
        name="whoever may look has letters replayed",
        file="admin/replay_requests/requests_page.py",
        scope="ReplayRequestsPage.below",
        old='self.action_at("request/", self._request, "request", Right.REPLAY)',
        new='self.action_at("request/", self._request, "request", Right.VIEW)',
        harm="viewers have mails sent",
        tests=_PAGES,
    ),
    Fault(
        name="whoever may look cancels replays",
        file="admin/replay_requests/requests_page.py",
        scope="ReplayRequestsPage.below",
        old='self.action_at(f"<int:number>/{name}/", self._taking(step), name, Right.REPLAY)',
        new='self.action_at(f"<int:number>/{name}/", self._taking(step), name, Right.VIEW)',
        harm="viewers end what operators have begun",
        tests=_PAGES,
    ),
    Fault(
        name="the filters of receiver and error are lost on the way to a request",
        file="operations/dead_letters/request_plan.py",
        scope="plan_request",
        old="selected.pick(selected.letters())",
        new="selected.letters()",
        harm="receivers run for letters that no filter has matched",
        tests=_PAGES,
    ),
    Fault(
        name="a request whose worker has died says nothing of it",
        file="operations/dead_letters/requests.py",
        scope="_without_worker",
        old="one.state == RequestState.REQUESTED or one in silent",
        new="one.state == RequestState.REQUESTED",
        harm="a replay stands still, and its page says that it is running",
        tests=_PAGES,
    ),
    Fault(
        name="the claim of a paused replay request ages while a letter runs",
        file="replaying/request_runner.py",
        scope="RequestRunner._go_on",
        old="rows.keep(request.pk, by=self._id)",
        new="pass",
        harm="paused and resumed, a request has its letter run by two workers at once",
        tests=(
            "unit/replaying/test_request_runner.py::test_no_other_worker_takes_a_request_while_one_of_its_letters_runs",
        ),
    ),
)
