"""Texts of the page of a dead letter. Event data is masked unless a user with the right to see it asks for it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from importlib import import_module
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from event_bus_kafka.admin import ages
from event_bus_kafka.admin.dead_letters.listing import place, seconds_since, settled_table
from event_bus_kafka.admin.shapes import Cell, Facts, Stacked, Table
from event_bus_kafka.dead_letters.letter import Failure
from event_bus_kafka.dead_letters.pending import of_row
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.models import DeadLetter
from event_bus_kafka.operations import masking
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.shown import shown
from event_bus_kafka.wire import cloudevents
from event_bus_kafka.wire.records import ConsumerRecord

_LOOKS_SHOWN = 20


def detail(letter: DeadLetter, *, unmasked: bool) -> dict[str, Any]:
    """
    Return the context for a letter's template. Asks the schema registry for the record's schemas, if the settings name
    a registry.
    """
    record = letter.record
    key, data = _contents(record, unmasked=unmasked)
    headers = [(shown(name), _header(name, value)) for name, value in record.headers]
    no_key, no_data = _why_missing(letter, "key"), _why_missing(letter, "value")
    settled = list(Selection(ids=(letter.pk,)).settled())
    return {
        "facts": _facts(letter),
        "receivers": _receivers(letter),
        "stack": _stack(letter),
        "settled": settled_table(settled, _("Receivers that have no longer to succeed")),
        "headers": Table(caption=_("Headers"), columns=[_("Name"), _("Value")], rows=headers, shows_caption=False),
        "key": no_key or (_json(key) if unmasked else str(key)),
        "data": no_data or _json(data),
        "is_key_masked": not (unmasked or no_key),
        "is_data_masked": not (unmasked or no_data),
        "left_out": letter.marks,
        "unmasked": unmasked,
        "history": _history(letter),
    }


def _contents(record: ConsumerRecord, *, unmasked: bool) -> tuple[Any, Any]:
    """
    Return the record's key and data; both are masked unless ``unmasked`` is True. If the settings name no registry,
    return the masked key, and a sentence in place of the data.
    """
    servers = import_module("event_bus_kafka.assembly.schema_registry")  # the import loads Kafka's client
    masked_key = masking.masked_key(record.key)
    try:
        with closing(servers.registry()) as registry:
            if unmasked:
                return masking.decoded(record.key, registry), masking.decoded(record.value, registry)
            return masked_key, masking.masked(record.value, registry)
    except ConfigurationError as error:
        return masked_key, {"undecodable": _("The data cannot be decoded here. %(why)s") % {"why": error}}


def _why_missing(letter: DeadLetter, part: str) -> str:
    """Return why a letter lacks its ``key`` or ``value``; empty: it has this part."""
    if part in letter.marks:
        return _("The table of dead letters does not have it, see above.")
    return _("The record has none.") if getattr(letter, part) is None else ""


def _header(name: str, value: bytes | None) -> str:
    if value is not None and name not in cloudevents.HEADERS:
        return ngettext("masked, %d byte", "masked, %d bytes", len(value)) % len(value)
    return _("no value") if value is None else shown(str(masking.header(name, value)))


def _facts(letter: DeadLetter) -> Facts:
    written = letter.timestamp
    return Facts(
        items=[
            (_("Record"), place(letter)),
            (_("Number, for commands"), str(letter.pk)),
            (_("Event type"), shown(letter.event_type) or _("unknown: not in its headers")),
            (_("Event id"), shown(letter.event_id) or _("unknown: not in its headers")),
            (_("Group"), shown(letter.group)),
            (_("Attempts, replays included"), letter.attempts),
            (_("Written to Kafka"), ages.moment_of(written) if written else _("unknown: Kafka gave no time")),
            (_("Became a dead letter"), ages.moment(letter.first_failed_at)),
            (_("Last failed"), Stacked(cells=[_ago(letter.last_failed_at), ages.moment(letter.last_failed_at)])),
        ]
    )


def _receivers(letter: DeadLetter) -> Table:
    columns = [_("Receiver"), _("Error"), _("Raised in"), _("Failed calls"), _("Failed last")]
    rows = [_receiver(failure) for failure in of_row(letter).values()]
    return Table(caption=_("Receivers that have still to succeed"), columns=columns, rows=rows, shows_caption=False)


def _receiver(failure: Failure) -> list[Cell]:
    name = shown(failure.receiver) or _("No receiver ran")
    if failure.instead_of:
        name = _("%(name)s, in place of %(other)s") % {"name": name, "other": shown(failure.instead_of)}
    return [
        name,
        shown(failure.error) or _("no reason is known"),
        shown(failure.place) or (_("not recorded") if failure.receiver else _("no receiver ran")),
        failure.attempts or 0,
        _ago(datetime.fromisoformat(failure.failed_at)),
    ]


def _stack(letter: DeadLetter) -> str:
    """
    Return a sentence that says where the stack of the last failure is, and how to find it there; empty: no exception of
    a receiver is known, so there is no stack.
    """
    if not any(failure.receiver and failure.place for failure in of_row(letter).values()):
        return ""
    sought = f"message_id={shown(letter.event_id)}" if letter.event_id else f"offset={letter.offset}"
    words = _(
        "The log of the process that tried it last, a worker of group %(group)s or a replay in a shell, has the stack, "
        "at %(time)s: look for %(sought)s."
    )
    return words % {"sought": sought, "group": shown(letter.group), "time": ages.moment(letter.last_failed_at)}


def _history(letter: DeadLetter) -> Table:
    """Return the latest entries about the letter in Django's history, such as looks at its unmasked data."""
    about = ContentType.objects.get_for_model(DeadLetter)
    entries = LogEntry.objects.filter(content_type=about, object_id=str(letter.pk)).select_related("user")
    rows = [
        (ages.moment(one.action_time), one.user.get_username(), one.get_change_message())
        for one in entries.order_by("-action_time")[:_LOOKS_SHOWN]
    ]
    return Table(caption=_("History"), columns=[_("When"), _("Who"), _("What")], rows=rows, shows_caption=False)


def _ago(moment: datetime) -> str:
    return ages.ago(seconds_since(moment))


def _json(content: Any) -> str:
    return shown_lines(json.dumps(content, indent=2, ensure_ascii=False, default=_plain))


def shown_lines(text: str) -> str:
    """Return ``text`` after making each line safe with :func:`shown`."""
    return "\n".join(shown(line) for line in text.split("\n"))


def _plain(value: Any) -> str:
    return value.hex(" ") if isinstance(value, bytes) else str(value)
