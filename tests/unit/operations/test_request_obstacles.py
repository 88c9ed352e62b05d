"""If no worker runs a replay request, operators read the reason and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.test import override_settings

from event_bus_kafka.models import DeadLetter, Heartbeat, LetterState, ReplayRequest, RequestedLetter
from event_bus_kafka.operations.dead_letters.request_plan import Wish, make, plan_request
from event_bus_kafka.operations.dead_letters.requests import obstacle_before, report_of
from event_bus_kafka.operations.dead_letters.selection import Selection
from tests.support.letters import record_of, run, stored
from tests.support.meanwhile import FIRST, SECOND, seen
from tests.support.meanwhile import service as service

pytestmark = pytest.mark.django_db(transaction=True)

GONE = "mail.receivers.gone"


@pytest.fixture(autouse=True)
def heartbeats() -> Iterator[None]:
    with override_settings(EVENT_BUS_KAFKA_HEARTBEAT=10):
        yield


def _requested(*receivers: str, group: str = "mail", **wish: Any) -> int:
    """Create a request for one dead letter for which ``receivers`` failed; return the number of the request."""
    letter = stored(record_of(7), *receivers, group=group)
    wanted = Wish(**wish)
    (request,) = make(plan_request(Selection(ids=(letter.pk,)), wanted), wanted)
    return int(request.pk)


def _beat(group: str = "mail", **state: Any) -> None:
    """Store the heartbeat of a running worker whose state contains ``state``."""
    about: dict[str, Any] = {"kind": "consumer", "host": "h", "pid": 1, "service": "", "version": "0", "topics": []}
    about["period"] = 10.0
    Heartbeat.objects.beat(uuid4(), age=1.0, group=group, state={"replaying": None} | state, **about)


def _obstacle(number: int) -> str:
    found = report_of(number)
    assert found is not None
    return found.obstacle


def test_a_receiver_is_named_as_an_obstacle_if_all_workers_lack_it() -> None:
    number = _requested(GONE)
    _beat(receivers=[FIRST])
    text = f"No living worker of group mail has receiver {GONE}. Start the version of the service that has it."
    command = f"manage.py event_dead_letters replay --of-request {number} --receiver NEW --instead-of OLD --request"
    for told in (_obstacle(number), obstacle_before("mail", [], [GONE])):
        assert text in told
    assert command in _obstacle(number)
    assert "name one with --receiver, and in whose place with --instead-of" in obstacle_before("mail", [], [GONE])
    assert obstacle_before("mail", [], [FIRST, GONE]) == "", "one of several does"
    _beat(receivers=[GONE, SECOND])
    assert _obstacle(number) == ""
    Heartbeat.objects.all().delete()
    _beat(receivers=[FIRST])
    _beat()  # like a worker of an earlier version
    assert _obstacle(number) == ""


def test_a_worker_does_not_count_as_able_to_replay_while_its_polling_thread_hangs() -> None:
    number = _requested(FIRST)
    _beat(is_alive=False, receivers=[FIRST])
    assert "No worker of group mail lives that could do it." in _obstacle(number)
    _beat(is_alive=True, receivers=[FIRST])
    assert _obstacle(number) == ""


def test_suggested_commands_quote_the_name_of_the_group_for_the_shell() -> None:
    number = _requested(FIRST, group="mail; rm -rf $HOME")
    text = _obstacle(number)
    assert "-g 'mail; rm -rf $HOME'. Or run" in text
    assert f"manage.py event_dead_letters replay --of-request {number} --apply" in text


@pytest.mark.parametrize(("holds", "is_told"), [(4, False), (5, True)])
def test_the_reason_of_a_hold_is_shown_as_an_obstacle_after_five_consecutive_holds(holds: int, is_told: bool) -> None:
    number = _requested(FIRST)
    ReplayRequest.objects.take(number, by=uuid4(), worker="h:1")
    ReplayRequest.objects.update(note="a server is away: the registry")
    _beat(receivers=[FIRST], replaying={"request": number, "done": 0, "running": 0, "holds": holds})
    text = f"held it {holds} times in a row without progress: a server is away: the registry."
    assert (text in _obstacle(number)) == is_told


def test_the_plan_of_a_request_names_receivers_that_this_service_lacks() -> None:
    letter = stored(record_of(7), FIRST, GONE)
    stored(record_of(8, offset=1), GONE)
    _beat(receivers=[FIRST])
    lines = run("replay", "-g", "mail", "--request").splitlines()
    assert f"  {GONE} is not in this service: 2 have still to reach it" in lines
    assert not any("No living worker" in line for line in lines), "one of its receivers is here"
    letter.delete()
    assert f"No living worker of group mail has receiver {GONE}" in run("replay", "-g", "mail", "--request")
    stand_in = ("--receiver", SECOND, "--instead-of", GONE)
    assert GONE not in run("replay", "-g", "mail", "--request", *stand_in)


def test_a_manual_replay_of_the_letters_of_a_request_omits_letters_that_already_have_a_result() -> None:
    letters = [stored(record_of(7, offset=offset), FIRST, SECOND) for offset in range(4)]
    wish = Wish(receiver=SECOND)
    (request,) = make(plan_request(Selection(ids=tuple(one.pk for one in letters[:3])), wish), wish)
    RequestedLetter.objects.filter(number=0).update(state=LetterState.FAILED)
    letters[1].delete()
    assert f"would run {SECOND}" in run("replay", "--of-request", request.pk)
    with pytest.raises(CommandError, match="1 of 1 dead letters stay"):
        run("replay", "--of-request", request.pk, "--apply")
    assert seen == ["second"]
    left = {one.offset: one.failed_receivers for one in DeadLetter.objects.all()}
    assert left == {0: [FIRST, SECOND], 2: [FIRST], 3: [FIRST, SECOND]}
    run("replay", "--of-request", request.pk, "--receiver", FIRST, "--apply")
    assert seen == ["second", "first"]
    for arguments, problem in (
        ((), "has no dead letters left without a result"),
        (("--all",), "has no dead letters left without a result"),
        ((letters[0].pk,), "Say which"),
    ):
        with pytest.raises(CommandError, match=problem):
            run("replay", *arguments, "--of-request", request.pk)
    with pytest.raises(CommandError, match="There is no replay request 12345"):
        run("replay", "--of-request", 12345)
