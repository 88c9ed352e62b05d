"""Rows about long streams of events and about streams with many events a second."""

from __future__ import annotations

from collections import Counter

from django.utils import timezone

from event_bus_kafka.models import OutboxRecord
from examples.analytics.models import Click
from examples.lms.models import Enrollment
from examples.recommender.models import Taste
from examples.tour.scene import Scene, row

COURSE = "course-v1:edX+Taste+2026"
TIMES = 100


@row("8d", "LMS → a new service", services="lms")
def latecomer(scene: Scene) -> None:
    """
    A service that is added a month later reads what it missed

    With a real Kafka it starts at a date, with the sandbox at the topic's first record.
    """
    scene.do("lms", f'enroll(81, "{COURSE}")')
    scene.see("lms", "it is sent", OutboxRecord.objects.using("lms").count, 0, for_now=True)
    date = timezone.now()
    scene.do("lms", f'enroll(82, "{COURSE}")')
    if scene.stage.real:
        scene.say("A recommender is added. It reads the enrolments that came after the first of the two:")
        scene.work("recommender", f"""--extra='{{"offset_time": "{date.isoformat()}"}}'""")
        expected = {(82, COURSE)}
    else:
        scene.say("A recommender is added. It reads all enrolments that are in the topic:")
        scene.work("recommender")
        expected = set(Enrollment.objects.values_list("user_id", "course_key"))
    scene.see("recommender", "enrolments of the past", _tastes, expected, for_now=True)
    scene.do("lms", f'enroll(83, "{COURSE}")')
    scene.see("recommender", "and the new one", _tastes, expected | {(83, COURSE)})


def _tastes() -> set[tuple[int, str]]:
    return set(Taste.objects.values_list("user_id", "course_key"))


@row("8e", "LMS → Analytics", services="lms analytics")
def tracking(scene: Scene) -> None:
    """
    Tracking events, the highest volume of all
    """
    scene.do("lms", f"watch_videos(83, times={TIMES})")
    expected = Counter(play_video=TIMES, pause_video=TIMES)
    scene.see("analytics", f"{2 * TIMES} clicks, each once", _clicks, expected)


def _clicks() -> Counter[str]:
    return Counter(Click.objects.filter(name__endswith="_video").values_list("name", flat=True))
