"""
OpenTelemetry's SDK records the expected spans with their contents, parents and links. No failure of tracing makes an
event fail.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler

from event_bus_kafka.consuming.progress import Delivery, PartitionProgress
from event_bus_kafka.dispatching.dispatch import Receiver
from event_bus_kafka.dispatching.outcomes import DONE, Retry
from event_bus_kafka.telemetry import observe, unobserve
from event_bus_kafka.telemetry.events import CallbackFailed
from event_bus_kafka.telemetry.tracing import FAILURES, note_failure, open_span
from event_bus_kafka.telemetry.tracing.trace_context import context_in, headers_of
from event_bus_kafka.wire.records import ConsumerRecord, Headers
from tests.support.examples_of import certificate
from tests.support.received import CODEC, FRAME, HEADERS
from tests.support.recording import Ended, context_of, provided, recorded, traceparent_of
from tests.support.watching import watched
from tests.unit.consuming.test_processor import Service

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SENDER: Headers = (("traceparent", PARENT), ("tracestate", b"vendor=a b,other@v=1"))
ROOT = Path(__file__).parents[3]


@pytest.fixture
def ended() -> Iterator[Ended]:
    observe(note_failure, *FAILURES)
    with recorded() as ended:
        yield ended
    unobserve(note_failure)


@pytest.fixture
def service() -> Service:
    return Service()


def delivery(*headers: tuple[str, bytes | None], value: bytes | None = b"", key: bytes = b"learner-7") -> Delivery:
    body = FRAME + CODEC.encode({"certificate": certificate(7)}) if value == b"" else value
    record = ConsumerRecord(
        topic="t", partition=3, offset=42, timestamp=None, key=key, value=body, headers=(*HEADERS, *headers)
    )
    return Delivery.of(record, PartitionProgress("t", 3))


def of_sender(span: Any) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


SENT_BY = (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)


def test_the_span_of_an_attempt_links_to_the_sender_and_contains_receiver_spans(ended: Ended, service: Service) -> None:
    assert service.processor().process(delivery(*SENDER)) == DONE
    whole, *of_receivers = (ended()[name] for name in ("process t", *service.names("first", "second")))
    assert whole.kind is trace.SpanKind.CONSUMER
    assert whole.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "t",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 42,
        "messaging.consumer.group.name": "g",
        "messaging.message.id": "12345678-1234-5678-1234-567812345678",
        "cloudevents.event_type": CODEC.event_type,
    }
    assert (whole.parent, of_sender(whole), whole.status.is_unset) == (None, [SENT_BY], True)
    assert whole.links[0].context.trace_state == {"vendor": "a b", "other@v": "1"}
    assert context_of(whole).trace_id != SENT_BY[0]
    assert [span.parent for span in of_receivers] == [context_of(whole)] * 2
    assert {span.kind for span in of_receivers} == {trace.SpanKind.INTERNAL}
    scope = whole.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == ("event_bus_kafka", "https://opentelemetry.io/schemas/1.44.0")


def test_the_span_of_an_attempt_is_a_child_of_the_senders_span_if_configured(ended: Ended, service: Service) -> None:
    assert service.processor(is_child_of_sender=True).process(delivery(*SENDER)) == DONE
    whole = ended()["process t"]
    assert whole.parent is not None
    assert (whole.parent.trace_id, whole.parent.span_id, whole.parent.is_remote) == (*SENT_BY, True)
    assert (context_of(whole).trace_id, of_sender(whole)) == (SENT_BY[0], [SENT_BY])


def test_the_span_of_a_failed_receiver_has_an_error_status_and_no_event_data(ended: Ended, service: Service) -> None:
    def first(**_: Any) -> None: ...

    def second(**_: Any) -> None:
        with open_span("inside"):
            raise ValueError("learner@example.com")

    receivers = [Receiver(first), Receiver(second)]
    assert isinstance(service.processor(receivers_of=lambda _: receivers).process(delivery()), Retry)
    spans = ended()
    failed, whole = spans[receivers[1].name], spans["process t"]
    (event,) = failed.events
    assert event.attributes == {"exception.type": "ValueError", "exception.message": "ValueError"}
    assert failed.attributes == {"error.type": "ValueError"}
    assert (failed.status.status_code, failed.status.description) == (trace.StatusCode.ERROR, "ValueError")
    assert spans[receivers[0].name].status.is_unset
    assert spans["inside"].parent == context_of(failed)
    assert whole.attributes is not None
    assert whole.attributes["error.type"] == "event_bus_kafka.errors.ReceiversFailed"
    assert whole.status.description == f"receiver {receivers[1].name} raised ValueError"
    told = "".join(span.to_json() for span in spans.values())
    assert "learner" not in told, "neither the text of the error nor the key"


def test_the_span_of_an_unreadable_record_has_an_error_status(ended: Ended, service: Service) -> None:
    assert service.processor().process(delivery(value=b"?")) == DONE
    assert ended()["process t"].status.status_code is trace.StatusCode.ERROR
    assert len(service.letters) == 1


def test_skipped_records_have_no_spans(ended: Ended, service: Service) -> None:
    nobody = service.processor(receivers_of=lambda _: [])
    assert [nobody.process(delivery(*SENDER, value=value)) for value in (b"", None)] == [DONE] * 2
    assert ended() == {}


def test_a_receiver_that_raises_system_exit_leaves_no_span_open(ended: Ended, service: Service) -> None:
    service.failing = {"second": SystemExit}
    with pytest.raises(SystemExit):
        service.processor().process(delivery())
    first, second = service.names("first", "second")
    statuses = {name: span.status.status_code.name for name, span in ended().items()}
    assert statuses == {first: "UNSET", second: "ERROR", "process t": "ERROR"}
    assert not trace.get_current_span().is_recording()


def test_an_event_of_an_unsampled_trace_is_processed_without_spans(service: Service) -> None:
    with recorded(sampler=ALWAYS_OFF) as ended:
        assert service.processor().process(delivery(*SENDER)) == DONE
    assert (ended(), service.seen.total()) == ({}, 2)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("traceparent", None),),
        (("traceparent", b""),),
        (("traceparent", PARENT), ("traceparent", PARENT)),
        (("traceparent", PARENT.upper()),),
        (("traceparent", PARENT + b"\n"),),
        (("traceparent", PARENT + b"-more"),),
        (("traceparent", PARENT.replace(b"00-", b"ff-")),),
        (("traceparent", b"01" + PARENT[2:] + b"-" + b"x" * 500),),
        (("traceparent", b"00-" + b"0" * 32 + PARENT[35:]),),
        (("traceparent", PARENT[:36] + b"0" * 16 + b"-01"),),
        (("traceparent", b"\xff" * 55),),
        (("Traceparent", PARENT),),
    ],
)
def test_a_malformed_trace_context_is_ignored(
    ended: Ended, service: Service, headers: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    assert service.processor(is_child_of_sender=True).process(delivery(*headers)) == DONE
    assert (ended()["process t"].parent, of_sender(ended()["process t"])) == (None, [])
    assert caplog.text == ""


@pytest.mark.parametrize(
    "state",
    [
        b"a=1,a=2",
        b"A=1",
        b"a",
        b"a=\x1b[31m",
        "a=ä".encode(),
        b",".join(b"a%d=1" % number for number in range(33)),
        b"a=" + b"x" * 250 + b",b=" + b"x" * 250 + b",c=" + b"x" * 50,
    ],
)
def test_a_malformed_tracestate_is_dropped_but_the_traceparent_is_kept(
    state: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    found = context_in((("traceparent", PARENT), ("tracestate", state)))
    assert found is not None
    assert (found.trace_id, found.span_id, dict(found.trace_state)) == (*SENT_BY, {})
    assert caplog.text == ""


def test_a_trace_context_from_headers_is_written_with_one_tracestate_and_version_00() -> None:
    found = context_in((("traceparent", PARENT), ("tracestate", b"a=1"), ("tracestate", b" , b=2")))
    assert found is not None
    assert headers_of(found) == (("traceparent", PARENT), ("tracestate", b"a=1,b=2"))
    later = context_in((("traceparent", b"cc" + PARENT[2:] + b"-what comes later"),))
    assert later is not None
    assert headers_of(later) == (("traceparent", PARENT),)
    assert headers_of(trace.INVALID_SPAN_CONTEXT) == ()


class Broken(SpanProcessor, Sampler):
    """A faulty sampler and span processor: it raises an exception when a span is sampled or ends."""

    def should_sample(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("learner@example.com")

    def get_description(self) -> str:
        return "broken"

    def on_end(self, span: Any) -> None:
        raise RuntimeError("learner@example.com")


@pytest.mark.parametrize("part", ["sampler", "processor"])
def test_a_tracing_provider_that_raises_is_reported_and_the_event_is_processed(service: Service, part: str) -> None:
    provider = TracerProvider(sampler=Broken()) if part == "sampler" else TracerProvider()
    if part == "processor":
        provider.add_span_processor(Broken())
    with provided(provider), watched(CallbackFailed) as told:
        assert service.processor().process(delivery(*SENDER)) == DONE
    assert service.seen.total() == 2
    assert {event.callback for event in told} == {"OpenTelemetry's provider"}


def test_a_tracing_provider_is_used_even_if_it_is_set_after_the_first_event(service: Service) -> None:
    assert service.processor().process(delivery()) == DONE
    with recorded() as first:
        assert service.processor().process(delivery()) == DONE
    with recorded() as second:
        assert service.processor().process(delivery()) == DONE
    assert [len(first()), len(second())] == [3, 3]


PROCESS_ONE = """
import sys
{before}
import django
django.setup()
from event_bus_kafka.assembly.observing import observe_events
from tests.unit.consuming.test_processor import Service, delivery
observe_events()
service = Service()
service.processor().process(delivery(7))
assert service.seen.total() == 2
{after}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "sys.modules['opentelemetry'] = None",
            "assert not [name for name in sys.modules if name.startswith('opentelemetry.')]",
        ),
        ("", "assert 'opentelemetry.sdk' not in sys.modules"),
        (
            "import os; os.environ['OTEL_PYTHON_TRACER_PROVIDER'] = 'sdk_tracer_provider'",
            "from opentelemetry import trace; assert type(trace.get_tracer_provider()).__name__ == 'TracerProvider'",
        ),
    ],
    ids=["without the API", "without a provider", "with a provider named in the environment"],
)
def test_only_tracing_packages_that_the_service_configured_are_imported(before: str, after: str) -> None:
    code = PROCESS_ONE.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_headers_contain_the_send_span_which_is_a_child_of_the_current_span(ended: Ended) -> None:
    with trace.get_tracer("service").start_as_current_span("view") as view:
        with open_span("send t") as span:
            headers = span.headers
    assert isinstance(view, Span)
    sent = ended()["send t"]
    assert sent.parent == context_of(view)
    assert dict(headers) == {"traceparent": traceparent_of(sent)}
