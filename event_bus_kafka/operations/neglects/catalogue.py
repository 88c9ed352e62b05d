"""
Defines every kind of neglect. A reference page is generated from this module. The ids are values of a label of the
metric ``neglects``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from event_bus_kafka.operations.status.asking import Unanswered


@attrs.frozen(kw_only=True)
class NeglectKind:
    """A kind of neglect, for example ``outbox-waits``."""

    id: str
    sentence: str
    remedy: str
    """
    The action that ends the neglect. The placeholder ``{subject}`` in this text stands for :attr:`Neglect.subject`.
    """
    subject: str
    """The kind of thing that is neglected, for example ``database``."""
    needs_kafka: bool = False
    """True: only Kafka's answers show this kind of neglect. False: the service's tables can show it."""


@attrs.frozen(kw_only=True)
class Neglect:
    """A neglect that was found. Its texts never contain event data."""

    kind: NeglectKind
    subject: str
    """
    Name of the neglected thing: a database alias, consumer group, topic (full name) or receiver, or a group and its
    topic. ``kind.subject`` says which of these it is.
    """
    message: str
    """One sentence about the extent of the neglect, for example how long rows have waited."""
    since: datetime | None = None
    """The beginning of the neglect, timezone-aware; None: unknown."""

    @property
    def id(self) -> str:
        """The id of the neglect's kind."""
        return self.kind.id

    @property
    def remedy(self) -> str:
        """The kind's remedy, with this neglect's subject filled in."""
        return self.kind.remedy.format(subject=self.subject)


@attrs.frozen(kw_only=True)
class OwnTables:
    """Settings of this service that decide which neglects its tables can show."""

    retention: float
    """Days for which parked rows are kept, and dead letters, too, if ``letters_expire`` is True."""
    letters_expire: bool = True
    """Whether workers delete old dead letters from the table."""
    heartbeats: bool = True
    """Whether workers and relays write heartbeats. Without heartbeats, nobody knows whether a worker runs."""


@attrs.frozen(kw_only=True)
class Neglected:
    """The neglects that were found in the service's tables."""

    neglects: tuple[Neglect, ...]
    """The neglects, in the order of the catalogue."""
    unknown: frozenset[NeglectKind] = frozenset()
    """
    Kinds that may have more neglects than were found, because a database did not answer, a table is missing, or there
    are no heartbeats.
    """
    unanswered: tuple[Unanswered, ...] = ()
    """The databases that did not answer."""


OUTBOX_AFTER = timedelta(minutes=5)
DEAD_LETTERS_AFTER = timedelta(days=1)
HELD_AFTER = timedelta(hours=1)
PAUSED_AFTER = timedelta(days=1)
CLOCK_OFF_BY = timedelta(seconds=10)
RETENTION_SHARE = 0.75
"""An unread record is near its deletion if it is older than this share of its topic's retention time."""
NEAR_THE_END = timedelta(days=7)
NEAR_THE_END_SHARE = 0.25
"""
Share of ``EVENT_BUS_KAFKA_RETENTION``. A row is near its deletion if it will be kept for less than this share, and for
less than :data:`NEAR_THE_END`.
"""

OUTBOX_WAITS = NeglectKind(
    id="outbox-waits",
    sentence="Rows of the outbox have waited for more than 5 minutes, and no relay is known to send them.",
    remedy="Run a relay: manage.py relay_events --database {subject}, or consume_events --with-relay. If one runs, its "
    "log says what keeps it.",
    subject="database",
)
DEAD_LETTERS_GROW = NeglectKind(
    id="dead-letters-grow",
    sentence="Dead letters wait for more than a day, and others have come within the last day.",
    remedy="Look at them with manage.py event_dead_letters list, mend the receivers, then replay or discard them.",
    subject="database",
)
DEAD_LETTERS_END = NeglectKind(
    id="dead-letters-end",
    sentence="Dead letters are soon deleted for their age (EVENT_BUS_KAFKA_RETENTION): in 7 days, or in a quarter of "
    "the retention if that is less. Not reported if dead letters go to a topic or a store of the service's own, since "
    "nothing deletes letters from the table then.",
    remedy="Replay them before: manage.py event_dead_letters list --oldest, then replay; or discard them.",
    subject="database",
)
PARKED_ROWS_END = NeglectKind(
    id="parked-rows-end",
    sentence="Parked rows of the outbox are soon deleted for their age (EVENT_BUS_KAFKA_RETENTION): in 7 days, or in a "
    "quarter of the retention if that is less.",
    remedy="Look at them with manage.py event_outbox parked --database {subject}, then release or discard them.",
    subject="database",
)
TOPIC_HELD = NeglectKind(
    id="topic-held",
    sentence="A relay has been unable to send rows of a topic for an hour.",
    remedy="See why in the message: create or grow the topic (manage.py event_topics check), or give the relay's user "
    "the right WRITE on {subject}.",
    subject="topic",
)
RECEIVER_PAUSED = NeglectKind(
    id="receiver-paused",
    sentence="A receiver has been paused for a day: its events become dead letters.",
    remedy="Mend it, then: manage.py event_bus_resume --receiver {subject} --apply, and event_dead_letters replay.",
    subject="receiver",
)
CLOCK_OFF = NeglectKind(
    id="clock-off",
    sentence="The clocks of this host and of the database are more than 10 seconds apart.",
    remedy="Let both keep the time by NTP: ages, latencies and times of events are wrong.",
    subject="database",
)
GROUP_WITHOUT_WORKER = NeglectKind(
    id="group-without-worker",
    sentence="A consumer group has records to read, and no worker. Without Kafka's answer, this is known only of "
    "groups whose last worker ended less than a day ago and had records left to read.",
    remedy="Run a worker: manage.py consume_events -g {subject} with its topics.",
    subject="group",
)
RETENTION_ENDS = NeglectKind(
    id="retention-ends",
    sentence="Records that a group has not read are near the end of their topic's retention (three quarters of it are "
    "over), or were deleted before they were read.",
    remedy="Let the group catch up: more workers, or mend what holds it (manage.py event_offsets show -g GROUP). Or "
    "give the topic more time: retention.ms in EVENT_BUS_KAFKA_TOPICS, then manage.py event_topics apply.",
    subject="group and topic",
    needs_kafka=True,
)

CATALOGUE: tuple[NeglectKind, ...] = tuple(one for one in dict(globals()).values() if isinstance(one, NeglectKind))
"""All kinds of neglect. Lists of neglects are sorted by this order."""
