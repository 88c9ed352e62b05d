"""The names of receivers that the plan of a replay suggests, and texts about a name that fits none of them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from event_bus_kafka.operations.dead_letters.request_plan import RequestPlan, Wish
from event_bus_kafka.operations.event_catalogue import event_types
from event_bus_kafka.shown import shown

_LISTENING_SHOWN = 20


def known_names(planned: RequestPlan) -> list[str]:
    """Return the receivers for which letters wait, and those of this service that listen to the letters' events."""
    return sorted(_listening(planned) | _waiting(planned))


def missing_names(planned: RequestPlan) -> list[str]:
    """Return the receivers for which letters wait, and which this service lacks."""
    return sorted({name for one in planned.all for name in one.missing})


def unknown_words(planned: RequestPlan, wish: Wish) -> str:
    """
    Return a sentence for a name that the user typed if no receiver with this name listens to the letters' events. The
    sentence names the receivers that listen, first those for which letters wait. Empty: the name is not the problem.
    """
    listening, waiting = _listening(planned), _waiting(planned)
    names = sorted(listening, key=lambda name: (name not in waiting, name))
    if not wish.receiver or wish.receiver in names or not planned.left_out:
        return ""
    if not names:
        return _("No receiver of this service listens to these events.")
    return _("No receiver of this service has this name for these events: %(name)s. Those that listen: %(names)s.") % {
        "name": shown(wish.receiver),
        "names": ", ".join([*map(shown, names[:_LISTENING_SHOWN]), *(["…"] if len(names) > _LISTENING_SHOWN else [])]),
    }


def refused_words(planned: RequestPlan, wish: Wish) -> str:
    """
    Return a sentence that says that no replay was requested because of the name that the user typed. Empty: the name is
    not the reason, or no receiver listens to the letters' events, so that another name would not help.
    """
    if planned.requested or not _listening(planned) or not unknown_words(planned, wish):
        return ""
    is_elsewhere = wish.receiver in _waiting(planned) or any(wish.receiver in one.receivers for one in event_types())
    words = (
        _("Nothing was requested: %(name)s does not listen to these events in this service.")
        if is_elsewhere
        else _("Nothing was requested: no receiver is named %(name)s.")
    )
    return words % {"name": shown(wish.receiver)}


def _waiting(planned: RequestPlan) -> set[str]:
    return {name for one in planned.all for name in one.pending if name}


def _listening(planned: RequestPlan) -> set[str]:
    """Return the receivers of this service that listen to the event types of the letters."""
    types = {one.letter.event_type for one in planned.all}
    return {name for one in event_types() if one.event_type in types for name in one.receivers}
