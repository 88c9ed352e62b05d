"""Makes the sandbox's broker refuse a request."""

from __future__ import annotations

from ctypes import c_int, c_int16, c_size_t, c_void_p

from event_bus_kafka.sandbox import Sandbox
from event_bus_kafka.sandbox.librdkafka import declare, library


def refuse(sandbox: Sandbox, request: int, error: int) -> None:
    """
    Make the broker refuse the next request of one kind. ``request`` is the API key of the request, and ``error`` is the
    error code of the answer.
    """
    declare(library(), "rd_kafka_mock_push_request_errors_array", None, c_void_p, c_int16, c_size_t, c_void_p)
    library().rd_kafka_mock_push_request_errors_array(sandbox.cluster._running, request, 1, (c_int * 1)(error))
