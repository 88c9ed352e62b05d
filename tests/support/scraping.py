"""Reads the metrics page of a worker or relay."""

from __future__ import annotations

from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.projects.process import PATIENCE

_PREFIX = "event_bus_kafka_"
Numbers = dict[tuple[str, ...], float]


def page(port: int, path: str) -> tuple[int, str]:
    """Return status code and text of a page."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def numbers(port: int) -> Numbers:
    """
    Return all numbers on the metrics page except those of buckets. The key of a number is a tuple: the metric's name
    without prefix, then the values of its labels, sorted by label name.
    """
    status, text = page(port, "/metrics")
    assert status == 200, text
    return {
        (one.name.removeprefix(_PREFIX), *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if not one.name.endswith("_bucket")
    }


def scraped_until(port: int, wanted: Numbers) -> Numbers:
    """Request the metrics page until it contains the numbers in ``wanted``; return all numbers of the page."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            found = numbers(port)
        except OSError:  # the port is not open yet
            found = {}
        if wanted.items() <= found.items() or monotonic() > deadline:
            assert {name: found.get(name) for name in wanted} == wanted, found
            return found
        sleep(0.05)
