"""
The tests that docs/testing.rst shows succeed. After a change of the service's events or settings, tests fail with clear
messages.
"""

from __future__ import annotations

import pytest

from tests.testing.project import Project

SCHEMA = "tests/schemas/course_graded.avsc"
WRITE = ("tests/test_schemas.py", "-k", "what_the_other", "--update-event-schemas")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> str:
    """
    Return the schema file that the tests of the service write. The fixture runs these tests only once, because each run
    takes seconds.
    """
    project = Project(tmp_path_factory.mktemp("schema"))
    code, output = project.pytest(*WRITE)
    assert code == 0, output
    return project.read(SCHEMA)


@pytest.fixture(autouse=True)
def _schema_written(project: Project, schema: str) -> None:
    project.write(SCHEMA, schema)


def test_the_tests_shown_in_the_documentation_succeed(project: Project) -> None:
    code, output = project.pytest()
    assert code == 0, output
    assert "9 passed" in output


def test_a_test_in_each_documented_file_fails_when_the_type_of_a_field_changes(
    project: Project,
) -> None:
    """The file test_outages.py is ignored."""
    project.replace("grades/events.py", "score: float", "score: str")
    code, output = project.pytest("--ignore=tests/test_outages.py")
    assert code == 1
    for text in (
        "grade.score: was double, is string",
        "cannot read events of the old schema: field grade.score: the writer's double cannot be read as str.",
        "UnsendableEvent: org.example.grades.course.graded.v1 cannot be sent to topic 'grades': "
        "field grade.score: expected str, got float",
        "IncompatibleSchema: field grade.score: the writer's double cannot be read as str",
        "SerializationError: org.example.grades.course.graded.v1: field grade.score: expected str, got float",
    ):
        assert text in output, output
    for name in ("sending", "with_unittest", "receiving", "older_senders", "schemas"):
        assert f"FAILED tests/test_{name}.py" in output
    assert "ERROR tests" not in output


def test_a_failed_assertion_names_a_topic_that_is_not_enabled(project: Project) -> None:
    project.replace("settings.py", '"enabled": True', '"enabled": False')
    code, output = project.pytest("tests/test_sending.py")
    assert code == 1
    assert "It was emitted 1 time; in EVENT_BUS_PRODUCER_CONFIG none of its topics is enabled (grades)." in output


def test_a_test_fails_for_an_unsendable_event_even_if_the_service_catches_the_error(project: Project) -> None:
    project.write(
        "tests/test_swallowing.py",
        """
        from grades.events import COURSE_GRADED, GradeData

        def test_it(captured_events):
            try:
                COURSE_GRADED.send_event(grade=GradeData("seven", 0.5))
            except BaseException:
                pass
        """,
    )
    code, output = project.pytest("tests/test_swallowing.py")
    assert code == 1
    assert "cannot be sent to topic 'grades': field grade.user_id: " in output
    assert "\n1 failed in" in output


def test_schema_files_are_written_only_with_the_option_update_event_schemas(project: Project) -> None:
    project.replace("grades/events.py", "comment: str = None", "comment: str = None\n    teacher: str = None")
    code, output = project.pytest("tests/test_schemas.py")
    assert code == 1
    assert "grade.teacher: was absent, is string or null" in output
    assert "teacher" not in project.read(SCHEMA)
    assert project.pytest(*WRITE)[0] == 0
    assert "teacher" in project.read(SCHEMA)
