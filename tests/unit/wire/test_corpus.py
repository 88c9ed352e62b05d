r"""
Each record of ``corpus/`` is read or refused as its file says. Each of these records formerly caused a problem, or is
an example of a problem.

A file of ``corpus/`` contains one record: its value and the values of its headers in base64, and the writer's schema as
text. If the schema is null, the schema of the class ``Everything`` is used. The file also contains the expected result:
the name and the text of an error, or the event data. To add a file, run this command in the root of the repository,
check the result, and commit the file::

    DJANGO_SETTINGS_MODULE=test_settings python -c 'from tests.unit.wire.test_corpus import keep; keep("name", b"\0…")'
"""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from opaque_keys.edx.keys import CourseKey
from openedx_events.tooling import OpenEdxPublicSignal

from event_bus_kafka.errors import DeserializationError
from event_bus_kafka.wire import serde
from event_bus_kafka.wire.codec import codec_for
from event_bus_kafka.wire.records import Headers
from tests.support.received import HEADERS, Registry, record

FOLDER = Path(__file__).parent / "corpus"


@attrs.frozen
class Everything:
    text: str
    flag: bool
    numbers: list[int]
    by_name: dict[str, float]
    course: CourseKey
    uuid: UUID
    maybe: bytes = None  # type: ignore[assignment]


SIGNAL = OpenEdxPublicSignal(event_type="test.everything.v1", data={"all": Everything})


def outcome(value: bytes | None, headers: Headers, schema: str | None) -> dict[str, str]:
    """Return the result of reading a record: an error, or the event data."""
    try:
        registry = Registry(codec_for(SIGNAL).schema if schema is None else schema)
        event = serde.deserialize(record(value, headers), SIGNAL, registry)
        serde.event_type(record(value, headers))
    except DeserializationError as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"event": repr(event.data), "metadata": repr(event.metadata)}


def keep(name: str, value: bytes | None, headers: Headers = HEADERS, schema: str | None = None) -> None:
    """Write a file of the corpus, and print the result of reading its record."""
    content = {
        "value": None if value is None else b64encode(value).decode(),
        "headers": [[header, None if text is None else b64encode(text).decode()] for header, text in headers],
        "schema": schema,
        "ends": outcome(value, headers, schema),
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    print(name, content["ends"])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_each_record_of_the_corpus_is_read_or_refused_as_its_file_says(path: Path) -> None:
    content: dict[str, Any] = json.loads(path.read_text())
    value = None if content["value"] is None else b64decode(content["value"])
    headers = tuple((name, None if text is None else b64decode(text)) for name, text in content["headers"])
    assert outcome(value, headers, content["schema"]) == content["ends"]


def test_the_corpus_has_more_than_30_records() -> None:
    assert len(list(FOLDER.glob("*.json"))) > 30
