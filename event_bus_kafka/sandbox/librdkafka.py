"""
Calls, with ctypes, the mock functions of the librdkafka in confluent-kafka's wheel.

ctypes is needed because confluent-kafka itself can only start a mock cluster, with a configuration option.
"""

from __future__ import annotations

import ctypes
from ctypes import CDLL, POINTER, c_char_p, c_int, c_int16, c_size_t, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

import confluent_kafka

_PRODUCER = 0


@lru_cache(maxsize=1)
def library() -> CDLL:
    """
    Return librdkafka, with its mock functions declared. It is the copy in confluent-kafka's wheel or, if the wheel has
    none, the system's copy. Raises OSError if both are missing.
    """
    folders = [
        Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs",
        Path(confluent_kafka.__file__).parent,
    ]
    found = [path for folder in folders for path in sorted(folder.glob("**/librdkafka*")) if path.is_file()]
    lib = CDLL(str(found[0])) if found else CDLL("librdkafka.so.1")
    declare(lib, "rd_kafka_conf_new", c_void_p)
    declare(lib, "rd_kafka_conf_set", c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)
    declare(lib, "rd_kafka_new", c_void_p, c_int, c_void_p, c_char_p, c_size_t)
    declare(lib, "rd_kafka_destroy", None, c_void_p)
    declare(lib, "rd_kafka_mock_cluster_new", c_void_p, c_void_p, c_int)
    declare(lib, "rd_kafka_mock_cluster_destroy", None, c_void_p)
    declare(lib, "rd_kafka_mock_cluster_bootstraps", c_char_p, c_void_p)
    declare(lib, "rd_kafka_mock_topic_create", c_int, c_void_p, c_char_p, c_int, c_int)
    declare(lib, "rd_kafka_mock_group_initial_rebalance_delay_ms", None, c_void_p, c_int)
    declare(lib, "rd_kafka_mock_broker_set_down", c_int, c_void_p, c_int)
    declare(lib, "rd_kafka_mock_broker_set_up", c_int, c_void_p, c_int)
    declare(lib, "rd_kafka_mock_broker_set_rtt", c_int, c_void_p, c_int, c_int)
    declare(lib, "rd_kafka_mock_push_request_errors_array", None, c_void_p, c_int16, c_size_t, POINTER(c_int))
    declare(lib, "rd_kafka_mock_clear_request_errors", None, c_void_p, c_int16)
    return lib


def declare(lib: CDLL, name: str, result: type | None, *arguments: Any) -> None:
    """Declare a function's argument and result types, because ctypes would otherwise cut pointers to 32 bits."""
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments


def new_client() -> int:
    """Return the handle of a client for a mock cluster; the client connects to no broker and logs nothing."""
    lib = library()
    error = ctypes.create_string_buffer(512)
    conf = lib.rd_kafka_conf_new()
    lib.rd_kafka_conf_set(conf, b"log_level", b"0", error, len(error))
    handle = lib.rd_kafka_new(_PRODUCER, conf, error, len(error))
    if not handle:
        raise OSError(error.value.decode())
    return int(handle)
