"""Rows about long and about wide streams of events."""

from __future__ import annotations

from collections import Counter

from examples.analytics.models import Click
from examples.lms.models import Enrollment
from examples.recommender.models import Taste
from examples.tour.scene import Scene, row

COURSE = "course-v1:edX+Taste+2026"
TIMES = 100


@row("8d", "LMS → a new service", services="lms")
def latecomer(scene: Scene) -> None:
    """
    A service that is added later reads from the beginning
    """
    scene.do("lms", f'enroll(81, "{COURSE}")')
    scene.say("The recommender is added.")
    scene.stage.start_worker("recommender")
    scene.see("recommender", "every enrolment of the past", _missing, set())
    scene.do("lms", f'enroll(82, "{COURSE}")')
    scene.see("recommender", "and the new one", lambda: Taste.objects.filter(user_id=82).count(), 1)


def _missing() -> set[tuple[int, str]]:
    fields = ("user_id", "course_key")
    return set(Enrollment.objects.values_list(*fields)) ^ set(Taste.objects.values_list(*fields))


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
