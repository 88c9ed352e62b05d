"""``python -m event_bus_kafka.sandbox``: runs an event bus for experiments, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from event_bus_kafka.sandbox import Sandbox

_PARTITIONS = 4
_HIGHEST_PORT = 65_535
_STOP = (signal.SIGINT, signal.SIGTERM)
_EPILOG = (
    "The sandbox keeps all data in memory, about 5 MB per partition, until it stops. Topics appear on "
    "first use, with 4 partitions. A worker that starts again waits until the previous worker's session has timed out. "
    "Offsets by time and topic administration need a real Kafka."
)
_SETTINGS = """\
The sandbox is running. Put this into the settings of each service:

EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = {servers!r}
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = {url!r}
EVENT_BUS_PRODUCER = 'event_bus_kafka.create_producer'
EVENT_BUS_CONSUMER = 'event_bus_kafka.KafkaEventConsumer'
EVENT_BUS_KAFKA_CONSUMER_OPTIONS = {{'session.timeout.ms': 6000}}  # only here, for quicker restarts of workers

{limits}
Stop it with Ctrl-C."""


def main() -> int:
    """Run until SIGINT or SIGTERM; return the exit code."""
    options = _parser().parse_args()
    # No signal handlers: Python would run one only after sigwait(), that is never, if the signal came just before it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        with Sandbox(brokers=options.brokers, registry_port=options.registry_port) as sandbox:
            for topic in options.topic:
                sandbox.create_topic(topic, _PARTITIONS)
            print(_described(sandbox, as_json=options.json), flush=True)
            signal.sigwait(_STOP)
    except OSError as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _described(sandbox: Sandbox, *, as_json: bool) -> str:
    servers, url = sandbox.bootstrap_servers, sandbox.schema_registry_url
    if as_json:
        return json.dumps({"bootstrap_servers": servers, "schema_registry_url": url})
    return _SETTINGS.format(servers=servers, url=url, limits=_EPILOG)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m event_bus_kafka.sandbox",
        description="Start Kafka brokers and a schema registry for first steps, in this process.",
        epilog=_EPILOG,
    )
    parser.add_argument("--brokers", type=_positive, default=1, help="number of brokers (default: 1)")
    parser.add_argument("--registry-port", type=_port, default=0, help="port of the registry (default: any)")
    parser.add_argument(
        "--topic", action="append", default=[], help="create a topic (full name) with 4 partitions; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 20:
        raise ValueError
    return number


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give 0 to {_HIGHEST_PORT}; 0 means any free port")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
