"""No log line at any level contains a secret of the settings (case S18)."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import DjangoDbBlocker

from event_bus_kafka.sandbox import Sandbox
from tests.projects.process import ServiceProcess
from tests.services.bus import SandboxBus
from tests.services.faulty_registry import Fault, FaultyRegistry, faulty
from tests.support.sending import SEND
from tests.support.sqlite import on_sqlite

SECRETS = {name: f"S3cret:{name}/?" for name in ("registry", "sasl", "key", "oauth", "database", "django")}
LOUD = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "DEBUG", "handlers": ["stderr"]},
}
AUTHORIZATION = "Basic " + b64encode(f"registry-user:{SECRETS['registry']}".encode()).decode()
WRONG_LOGIN = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}


def settings_of(sandbox: Sandbox, registry: FaultyRegistry, file: Path, **options: Any) -> dict[str, Any]:
    user_info = f"registry-user:{quote(SECRETS['registry'], safe='')}"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "PASSWORD": SECRETS["database"]}
    client_options = {
        "debug": "all",
        "sasl.username": "kafka-user",
        "sasl.password": SECRETS["sasl"],
        "ssl.key.password": SECRETS["key"],
        "sasl.oauthbearer.client.secret": SECRETS["oauth"],
    }
    return SandboxBus(sandbox).settings("secret") | {
        "LOGGING": LOUD,
        "SECRET_KEY": SECRETS["django"],
        "DATABASES": {"default": database},
        "EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL": registry.url.replace("//", f"//{user_info}@"),
        "EVENT_BUS_KAFKA_CLIENT_OPTIONS": client_options | options,
        "EVENT_BUS_KAFKA_SHUTDOWN_FLUSH": 2,
    }


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Any:
    with django_db_blocker.unblock(), on_sqlite(tmp_path, "default") as file:
        yield file


def telling(log: str) -> list[str]:
    """Return the lines that contain a secret, either as plain text or encoded."""
    return [line for line in log.splitlines() if "S3cret" in line or AUTHORIZATION.removeprefix("Basic ") in line]


def test_no_secret_appears_in_the_logs_of_senders_workers_relays_and_checks(sandbox: Sandbox, file: Path) -> None:
    with faulty(sandbox.schema_registry_url) as registry:
        settings = settings_of(sandbox, registry, file)

        def run(*arguments: str, code: str = "", **changes: Any) -> ServiceProcess:
            return ServiceProcess(*arguments, code=code, settings=settings | changes, receivers="note,fail")

        with run(code=SEND.format(users=[1])) as sending:
            assert sending.end() == 0
        assert "Message delivered" in sending.log
        assert registry.authorization == AUTHORIZATION
        registry.fault = Fault.UNAUTHORIZED
        with run(code=SEND.format(users=[2])) as spilling:
            assert spilling.end() == 0
        assert "HTTP 401" in spilling.log
        registry.fault = None
        shut_out = settings["EVENT_BUS_KAFKA_CLIENT_OPTIONS"] | WRONG_LOGIN
        with run(code=SEND.format(users=[3]), EVENT_BUS_KAFKA_CLIENT_OPTIONS=shut_out) as refused:
            assert refused.end() == 0
        assert "kept in the outbox" in refused.log
        with run("relay_events", "--once") as relaying:
            assert relaying.end() == 0, relaying.log
        once: Any = {"EVENT_BUS_KAFKA_RETRY": {"attempts": 1}}
        with run("consume_events", "-t", "secret", "-g", "secret", **once) as consuming:
            consuming.wait_for(lambda: consuming.log.count("stored as a dead letter") == 3)
            assert consuming.stop() == 0
        unreadable = settings["EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL"].replace("%2F", "/")
        with run(code=SEND.format(users=[4]), EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=unreadable) as wrong:
            assert wrong.end() == 0
        with run("check", EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=unreadable) as checking:
            exit_code = checking.end()
    for process in (sending, spilling, refused, relaying, consuming, wrong, checking):
        assert telling(process.log) == []
        assert "HTTP Request" not in process.log
    assert "percent-encoded" in wrong.log
    assert exit_code == 1
