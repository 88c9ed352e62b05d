"""In a service with several databases, like the LMS, an event is sent if and only if its data is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.services.bus import RealBus
from tests.support.lms_databases import OUTBOX, OUTBOX_APART, LmsDatabases
from tests.support.lms_like import NAMES, Outcome, Project

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Outcome]:
    """
    Return the results of all emissions. Each test runs twice: with databases on PostgreSQL, and with databases on
    MySQL.
    """
    project = Project(
        databases=LmsDatabases(request.getfixturevalue(request.param), django_db_blocker),
        bus=RealBus(request.getfixturevalue("cluster"), request.getfixturevalue("schema_registry")),
        folder=tmp_path_factory.mktemp("lms"),
    )
    with project.databases_created():
        yield project.run()


def test_each_emission_ran_and_saved_its_data_unless_its_transaction_was_rolled_back(
    outcome: Outcome,
) -> None:
    """If another test of this file fails although this test succeeds, the data is right and the events are wrong."""
    assert outcome.ends.keys() == set(NAMES), outcome.log
    assert outcome.saved == {name for name in NAMES if "rolled_back" not in name}, outcome.log


@pytest.mark.parametrize("name", NAMES)
def test_an_event_has_no_outbox_row_if_its_transaction_was_rolled_back_and_exactly_one_row_otherwise(
    outcome: Outcome, name: str
) -> None:
    """Kafka is unreachable. If an event is not in the outbox when its process ends, the event is lost."""
    end = 200 if name.startswith(("wsgi/", "asgi/")) else None
    database = OUTBOX_APART if name.startswith("apart/") else OUTBOX
    rows = {} if "rolled_back" in name else {database: 1}
    assert outcome.of(name) == (end, rows), outcome.log


def test_a_relay_sends_each_row_of_the_default_database_exactly_once(outcome: Outcome) -> None:
    rows = {name: count for (name, database), count in outcome.rows.items() if database == OUTBOX}
    assert len(rows) > 20
    assert outcome.arrived == Counter(rows)
