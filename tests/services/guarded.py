"""
A broker with access control: TLS, mutual TLS, SCRAM, OAUTHBEARER and access lists. A further listener is reachable only
through a proxy.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.services.debian import install
from tests.services.kafka import KafkaCluster, Listener
from tests.services.process import free_port

_SECONDS = 30
_LOGIN = "org.apache.kafka.common.security"


class GuardedKafka:
    """
    A broker with several listeners. On the listeners ``SCRAM``, ``OAUTH`` and ``MTLS`` a user needs rights. On the
    other listeners every client has all rights. The listener ``through_proxy`` is reachable only while a proxy forwards
    to it.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self._listeners = {name: Listener(name, protocol) for name, protocol in _LOCKS.items()}
        self.through_proxy = Listener("VIA", "PLAINTEXT", free_port(), free_port())

    def __enter__(self) -> GuardedKafka:
        install("openssl")
        self._folder = Path(tempfile.mkdtemp(prefix="event-bus-keys-"))
        self._make_certificates()
        listeners = [*self._listeners.values(), self.through_proxy]
        self.cluster = KafkaCluster(properties=self._properties(), listeners=listeners)
        self.cluster.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cluster.__exit__(kind, error, trace)
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def options(self, lock: str, user: str) -> dict[str, Any]:
        """
        Return the options of a client for the listener ``lock``. On the listener ``TLS`` clients have no user name and
        have all rights.
        """
        authority = {"ssl.ca.location": str(self._folder / "ca.pem")}
        key = {name: str(self._folder / f"client.{end}") for name, end in _CLIENT_FILES.items()}
        options: dict[str, dict[str, Any]] = {
            "SCRAM": {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": user, "sasl.password": f"{user}-pw"},
            "OAUTH": {
                "sasl.mechanism": "OAUTHBEARER",
                "enable.sasl.oauthbearer.unsecure.jwt": True,
                "sasl.oauthbearer.config": f"principal={user}",
            },
            "TLS": authority,
            "MTLS": authority | key,
        }
        return {
            "bootstrap.servers": self._listeners[lock].address,
            "security.protocol": _LOCKS[lock],
            **options[lock],
        }

    def add_user(self, user: str) -> None:
        """Create a user who can log in with SCRAM."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        self._alter(UserScramCredentialUpsertion(user, info, f"{user}-pw".encode()))

    def remove_user(self, user: str) -> None:
        """
        Delete a user. The server refuses all later logins of this user. Connected clients must log in again every three
        seconds.
        """
        self._alter(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256))

    def allow(self, user: str, *, topic: str, group: str) -> None:
        """Allow a user to write to a topic, and to read it as a member of a group."""
        self.allow_group(user, group)
        for operation in (AclOperation.READ, AclOperation.WRITE):
            self._bind(_binding(ResourceType.TOPIC, topic, user, operation))

    def allow_topic(self, user: str, topic: str, operation: AclOperation) -> None:
        """Allow a user one operation on a topic."""
        self._bind(_binding(ResourceType.TOPIC, topic, user, operation))

    def allow_group(self, user: str, group: str) -> None:
        self._bind(_binding(ResourceType.GROUP, group, user, AclOperation.READ))

    def forbid_group(self, group: str) -> None:
        """Take all rights on a group from all users."""
        one = AclBindingFilter(
            ResourceType.GROUP,
            group,
            ResourcePatternType.LITERAL,
            None,  # type: ignore[arg-type] # any principal
            None,  # type: ignore[arg-type] # any host
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        admin = self.cluster.admin()
        admin.delete_acls([one])[one].result(_SECONDS)

    def forbid_topic(self, user: str, topic: str, operation: AclOperation) -> None:
        """Take from a user the right to one operation on a topic."""
        one = AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            None,  # type: ignore[arg-type] # any host
            operation,
            AclPermissionType.ANY,
        )
        admin = self.cluster.admin()
        admin.delete_acls([one])[one].result(_SECONDS)

    def _bind(self, binding: AclBinding) -> None:
        admin = self.cluster.admin()
        admin.create_acls([binding])[binding].result(_SECONDS)

    def _alter(self, change: UserScramCredentialUpsertion | UserScramCredentialDeletion) -> None:
        admin = self.cluster.admin()
        admin.alter_user_scram_credentials([change])[change.user].result(_SECONDS)

    def _properties(self) -> dict[str, str]:
        bearer = f'{_LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        own: dict[str, str] = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.scram.scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            "listener.name.scram.scram-sha-256.connections.max.reauth.ms": "3000",
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.oauth.oauthbearer.sasl.jaas.config": bearer,
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        }
        for name in ("tls", "mtls"):
            own |= {
                f"listener.name.{name}.ssl.keystore.type": "PEM",
                f"listener.name.{name}.ssl.keystore.location": str(self._folder / "broker.store"),
                f"listener.name.{name}.ssl.truststore.type": "PEM",
                f"listener.name.{name}.ssl.truststore.location": str(self._folder / "ca.pem"),
            }
        return own

    def _make_certificates(self) -> None:
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
        (self._folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        for name in ("broker", "client"):
            self._openssl("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            signed_by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
            self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed_by)
        store = self._folder / "broker.store"
        store.write_bytes(b"".join((self._folder / f"broker.{end}").read_bytes() for end in ("key", "pem")))

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


_LOCKS = {"SCRAM": "SASL_PLAINTEXT", "OAUTH": "SASL_PLAINTEXT", "TLS": "SSL", "MTLS": "SSL"}
_NEW_KEY = ("-newkey", "rsa:2048", "-nodes")
_CLIENT_FILES = {"ssl.certificate.location": "pem", "ssl.key.location": "key"}
CLIENT_NAME = "client"
"""The client's name in the certificate that the listener ``MTLS`` requires."""


def _binding(kind: ResourceType, name: str, user: str, operation: AclOperation) -> AclBinding:
    anywhere, allowed = "*", AclPermissionType.ALLOW
    return AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", anywhere, operation, allowed)
