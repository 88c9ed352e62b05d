"""Texts that say what to do about held topics and parked rows."""

from __future__ import annotations

from math import ceil

import attrs
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.admin import charts
from event_bus_kafka.kafka import error_codes
from event_bus_kafka.trouble import Trouble

_ROOM, _ROUNDED_TO = 1.05, 1000
"""
Pages recommend a limit in bytes: the size of the largest parked event, times the first number, rounded up to a multiple
of the second number. The surplus is for framing, which Kafka counts, too.
"""


@attrs.frozen(kw_only=True)
class HeldRemedy:
    """The remedy for a held topic."""

    sentence: str | Promise
    """The remedy. If the remedy has a command, this text stands before the command."""
    command: str = ""
    more: str | Promise = ""
    """Sentences after the command."""


_OF_HELD_TOPICS = {
    Trouble.MISSING: HeldRemedy(
        sentence=_("Create it:"),
        command="manage.py event_topics apply",
        more=_(
            "If the name is wrong, correct it in EVENT_BUS_PRODUCER_CONFIG for later events; those that wait keep the "
            "old name and need the topic to exist."
        ),
    ),
    Trouble.FORBIDDEN: HeldRemedy(sentence=_("Give the relay's user the right WRITE on the topic.")),
}
"""Reason why a topic is held → the remedy. Other reasons have no remedy of their own."""
OF_PARKED_ROWS = {
    error_codes.MSG_SIZE_TOO_LARGE: _(
        "Set the topic's max.message.bytes to %(least)s: in EVENT_BUS_KAFKA_TOPICS, then by manage.py event_topics "
        "apply. Restart the relays, then release."
    ),
    error_codes.RECORD_LIST_TOO_LARGE: _("Raise the topic's segment.bytes above the size, then release."),
    error_codes.TOPIC_EXCEPTION: _(
        "Kafka takes no records for a topic of this name. Correct the name in EVENT_BUS_PRODUCER_CONFIG for later "
        "events. These keep the old name: discard them."
    ),
    error_codes.INVALID_RECORD: _(
        "The broker's log names the rule that the record breaks. Change the topic's settings, then release."
    ),
    error_codes.POLICY_VIOLATION: _(
        "A policy of the Kafka cluster forbids it: ask who runs the cluster. Release once it is allowed."
    ),
    error_codes.NO_SCHEMA: _(
        "Release: after a restore of the database, running processes soon write the schema anew. If the event is "
        "parked again, its schema is lost: discard it."
    ),
    error_codes.UNREADABLE_ROW: _(
        "The stored row is damaged. Restore it from a backup, then release; if that is impossible, discard it."
    ),
    error_codes.INVALID_ARG: _(
        "The Kafka client cannot send such a record. If the topic's name is wrong, correct it in "
        "EVENT_BUS_PRODUCER_CONFIG for later events, and discard this one."
    ),
}
"""Error code of parked rows → the remedy. Contains each code because of which relays park rows."""


def remedy_of_held(reason: str) -> HeldRemedy:
    """Return what the user should do about a topic that is held for ``reason``."""
    named = [row for row in error_codes.TABLE if row.code in reason]
    # The reason may seem to name several codes, since longer ones contain others, such as "_FAIL".
    found = _OF_HELD_TOPICS.get(max(named, key=lambda row: len(row.code)).trouble) if named else None
    return found or HeldRemedy(sentence=gettext("Mend what the reason names; the relay's log says more."))


def remedy_of_parked(code: str, size: int | None) -> str:
    """
    Return what the user should do about rows that were parked because of an error with this code. ``size``: bytes of
    the largest row; None: unknown.
    """
    text = str(OF_PARKED_ROWS.get(code) or gettext("Mend what the reason names, then release."))
    return text.replace("%(least)s", _least(size))


def _least(size: int | None) -> str:
    if size is None:
        return gettext("well above the bytes in the reason")
    least = ceil(size * _ROOM / _ROUNDED_TO) * _ROUNDED_TO
    about = {"least": str(least), "size": charts.count(size)}  # the first may be copied into a setting
    return gettext("at least %(least)s (the largest event has %(size)s, and Kafka adds some)") % about
