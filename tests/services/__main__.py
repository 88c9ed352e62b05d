"""
``python -m tests.services`` runs a real broker and a real registry until Ctrl-C. With ``--databases``, it also runs
PostgreSQL, MariaDB and MySQL.
"""

from __future__ import annotations

import argparse
import json
import signal
from contextlib import ExitStack
from time import sleep
from typing import Any

from tests.services.downloads import apicurio, kafka_jars
from tests.services.kafka import KafkaCluster
from tests.services.mariadb import MariaDB
from tests.services.mysql import MySQL, mysql
from tests.services.postgresql import PostgreSQL
from tests.services.schema_registry import SchemaRegistry

_SETTINGS = """\
Kafka and the schema registry are running. Put this into the settings of each service:

EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = {servers!r}
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = {url!r}
{databases}
Stop them with Ctrl-C."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    parser.add_argument("--brokers", type=int, default=1, help="number of brokers (default: 1)")
    parser.add_argument(
        "--topic", action="append", default=[], help="create a topic with 4 partitions; may be repeated"
    )
    parser.add_argument(
        "--compacted-topic",
        action="append",
        default=[],
        help="create a compacted topic with 4 partitions; may be repeated",
    )
    parser.add_argument("--auto-create-topics", action="store_true", help="let topics appear on first use")
    parser.add_argument("--databases", action="store_true", help="start PostgreSQL, MariaDB and MySQL as well")
    parser.add_argument("--fetch", action="store_true", help="download only")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    options = parser.parse_args()
    kafka_jars()
    apicurio()
    if options.databases:
        mysql()
    if not options.fetch:
        _serve(options)


def _serve(options: argparse.Namespace) -> None:
    stop: list[int] = []  # a list, since a lock might be held when the signal handler runs
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, _: stop.append(caught))
    properties = {"auto.create.topics.enable": str(options.auto_create_topics).lower(), "num.partitions": "4"}
    with ExitStack() as services:
        cluster = services.enter_context(KafkaCluster(options.brokers, properties))
        registry = services.enter_context(SchemaRegistry())
        servers = [services.enter_context(server()) for server in (PostgreSQL, MariaDB, MySQL) if options.databases]
        for topic in options.topic:
            cluster.create_topic(topic, 4)
        for topic in options.compacted_topic:
            cluster.create_topic(topic, 4, {"cleanup.policy": "compact"})
        addresses = {"bootstrap_servers": cluster.bootstrap_servers, "schema_registry_url": registry.url}
        databases = {server.vendor: server.settings() for server in servers}
        whole = addresses | {"databases": databases}
        print(json.dumps(whole) if options.json else _text(addresses, databases), flush=True)
        while not stop:
            sleep(0.2)


def _text(addresses: dict[str, str], databases: dict[str, dict[str, Any]]) -> str:
    lines = [f"DATABASES = {{'default': {entry}}}  # {vendor}\n" for vendor, entry in databases.items()]
    servers, url = addresses["bootstrap_servers"], addresses["schema_registry_url"]
    return _SETTINGS.format(servers=servers, url=url, databases="".join(lines))


if __name__ == "__main__":
    main()
