"""Faults of replay requests: letters twice or never, live events that wait, workers that do not let go."""

from __future__ import annotations

from tests.mutants.fault import Fault

_RUN = "unit/replaying/test_request_run.py"

FAULTS = (
    Fault(
        name="a replay request rests for no longer than its letter took",
        file="replaying/request_run.py",
        scope="RequestRun._process",
        old="self._rests_until = max(self._rests_until, now + _REST * (now - began))",
        new="self._rests_until = max(self._rests_until, now + (now - began))",
        harm="live events have half of their rate while letters are replayed",
        tests=(f"{_RUN}::test_beside_live_events_there_is_one_and_a_rest_after_it",),
    ),
    Fault(
        name="a replay request has all lanes beside live events",
        file="replaying/request_run.py",
        scope="RequestRun._has_room",
        old="counted < (1 if is_busy else self._lanes.count)",
        new="counted < self._lanes.count",
        harm="live events wait for letters",
        tests=(f"{_RUN}::test_beside_live_events_there_is_one_and_a_rest_after_it",),
    ),
    Fault(
        name="a letter that waits for a record of its key keeps the request waiting",
        file="replaying/request_run.py",
        scope="RequestRun._has_room",
        old="one.has_begun or now - since < _STUCK_AFTER",
        new="True",
        harm="one key that is held stops a whole replay",
        tests=(f"{_RUN}::test_letters_that_wait_for_records_of_their_keys_keep_no_others_from_beginning",),
    ),
    Fault(
        name="a worker without beats begins letters of a replay request",
        file="replaying/request_run.py",
        scope="RequestRun._process",
        old="began > self._fresh_until",
        new="False",
        harm="two workers give one letter to its receivers",
        tests=(f"{_RUN}::test_a_worker_that_could_not_beat_for_30_seconds_begins_no_letter",),
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
        tests=(f"{_RUN}::test_what_was_submitted_before_a_halt_does_not_begin",),
    ),
    Fault(
        name="the rate of a replay request is made up for without end",
        file="replaying/request_run.py",
        scope="RequestRun.submit",
        old="max(self._due, now - _MADE_UP_FOR) + 1 / self._rate",
        new="self._due + 1 / self._rate",
        harm="after a pause all letters come at once",
        tests=(f"{_RUN}::test_no_more_begin_than_the_rate_lets_nor_all_at_once_after_a_delay",),
    ),
    Fault(
        name="a letter that has failed since it was requested runs again",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="planned.letter.last_failed_at != requested.failed_at and not is_ours",
        new="False",
        harm="two requests for the same letters run each twice",
        tests=(f"{_RUN}::test_a_letter_that_has_failed_since_is_left_to_another_request",),
    ),
    Fault(
        name="a letter at which workers die runs for ever",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="requested.tries >= _TRIES",
        new="False",
        harm="one letter ends all workers of a group, one after the other",
        tests=(f"{_RUN}::test_a_letter_whose_worker_died_is_taken_over_though_it_is_claimed_but_not_for_ever",),
    ),
    Fault(
        name="the claim of a dead worker is taken for somebody else's",
        file="dead_letters/pending.py",
        scope="is_claimed",
        old="failure.claimed_until > now and failure.claimed_until != own",
        new="failure.claimed_until > now",
        harm="the letter at which a worker was killed is skipped",
        tests=(f"{_RUN}::test_a_letter_whose_worker_died_is_taken_over_though_it_is_claimed_but_not_for_ever",),
    ),
    Fault(
        name="a letter that a killed worker has brought through is reported as skipped",
        file="replaying/requested_letter_run.py",
        scope="_without_a_run",
        old="return LetterEnd(LetterState.SUCCEEDED) if had_begun else None",
        new="return None",
        harm="the report is wrong",
        tests=(f"{_RUN}::test_one_that_is_gone_is_skipped_but_not_one_at_which_a_worker_died_when_it_had_succeeded",),
    ),
    Fault(
        name="a replay request is taken from a worker that lives",
        file="models/replay_requests.py",
        scope="ReplayRequestQuerySet._free",
        old="models.Q(claimed_by=None) | silent",
        new="models.Q(state__in=_TO_RUN)",
        harm="two workers do one request",
        real=("real/test_request_claims.py::test_of_many_workers_one_takes_it[postgresql]",),
    ),
    Fault(
        name="a worker goes on with a replay request that is not its own any more",
        file="models/replay_requests.py",
        scope="ReplayRequestQuerySet._running",
        old="self.filter(pk=request, claimed_by=by, state=RequestState.RUNNING)",
        new="self.filter(pk=request)",
        harm="two workers do one request, and a pause is not heard",
        real=("real/test_request_claims.py::test_a_minute_after_the_last_beat_another_one_takes_it_over[postgresql]",),
    ),
    Fault(
        name="a stop does not wait for a letter that runs",
        file="consuming/consumer.py",
        scope="Consumer.stop",
        old="self._scheduler.release(self._partitions.values(), timeout=timeout, names=replayed)",
        new="self._scheduler.release(self._partitions.values(), timeout=timeout)",
        harm="receivers are cut off at each deploy",
        real=("real/test_replay_requests.py::test_a_stop_hands_it_back_and_what_runs_comes_to_its_end[postgresql]",),
    ),
    Fault(
        name="a stop leaves the replay request to a claim that has to expire",
        file="assembly/replaying.py",
        scope="request_runner",
        old="periodically(at_end, lambda: runner.turn_every, name, runner.turn, last=runner.hand_back)",
        new="periodically(at_end, lambda: runner.turn_every, name, runner.turn)",
        harm="at each deploy a replay stands still for a minute",
        real=("real/test_replay_requests.py::test_a_stop_hands_it_back_and_what_runs_comes_to_its_end[postgresql]",),
    ),
    Fault(
        name="the claim of a paused replay request ages while a letter runs",
        file="replaying/request_runner.py",
        scope="RequestRunner._go_on",
        old="rows.keep(request.pk, by=self._id)",
        new="pass",
        harm="paused and resumed, a request has its letter run by two workers at once",
        tests=(
            "unit/replaying/test_request_runner.py"
            "::test_while_a_letter_runs_no_other_worker_takes_the_request_though_it_was_paused_and_resumed",
        ),
    ),
)
