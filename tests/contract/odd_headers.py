"""
Produces a record with a header name that confluent-kafka refuses to send. Clients in other languages can send such a
name.
"""

from __future__ import annotations

from ctypes import c_char_p, c_int, c_size_t, c_ssize_t, c_void_p, create_string_buffer

from event_bus_kafka.sandbox.librdkafka import declare, library

_PRODUCER = 0
_TOPIC, _PARTITION, _VALUE, _FLAGS, _HEADERS, _END = 1, 3, 4, 7, 10, 0  # rd_kafka_vtype_t
_COPY = 2


def produce_with_header_name(bootstrap_servers: str, topic: str, name: bytes) -> None:
    """
    Produce a record to the first partition of a topic. The record has the value ``odd`` and a header with the name
    ``name``.
    """
    lib = library()
    declare(lib, "rd_kafka_headers_new", c_void_p, c_size_t)
    declare(lib, "rd_kafka_header_add", c_int, c_void_p, c_char_p, c_ssize_t, c_char_p, c_ssize_t)
    declare(lib, "rd_kafka_flush", c_int, c_void_p, c_int)
    text = create_string_buffer(512)
    conf = lib.rd_kafka_conf_new()
    lib.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap_servers.encode(), text, len(text))
    client = lib.rd_kafka_new(_PRODUCER, conf, text, len(text))
    headers = lib.rd_kafka_headers_new(1)
    assert lib.rd_kafka_header_add(headers, name, len(name), b"value", 5) == 0
    arguments = [
        *(c_int(_TOPIC), c_char_p(topic.encode())),
        *(c_int(_PARTITION), c_int(0)),
        *(c_int(_VALUE), c_char_p(b"odd"), c_size_t(3)),
        *(c_int(_FLAGS), c_int(_COPY)),
        *(c_int(_HEADERS), c_void_p(headers)),
    ]
    assert lib.rd_kafka_producev(c_void_p(client), *arguments, c_int(_END)) == 0
    assert lib.rd_kafka_flush(client, 10_000) == 0
    lib.rd_kafka_destroy(client)
