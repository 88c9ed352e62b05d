"""The forms with which a user requests a replay of a topic, or a backfill."""

from __future__ import annotations

from typing import Any

import attrs
from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models import Right
from event_bus_kafka.operations.dead_letters.request_plan import STOP_AFTER


def _named(datalist: str) -> forms.TextInput:
    return forms.TextInput(attrs={"list": f"event-bus-{datalist}"})


class RunForm(forms.Form):
    """
    The base class of :class:`TopicForm` and :class:`BackfillForm`, with the fields ``rate``, ``stop_after`` and
    ``reason``.
    """

    rate = forms.FloatField(
        label=_("At most this many events per second (empty: as fast as live events allow)"),
        min_value=0.01,
        required=False,
    )
    stop_after = forms.IntegerField(
        label=_("Stop after this many failures in a row"), min_value=1, max_value=1_000_000, initial=STOP_AFTER
    )
    reason = forms.CharField(
        label=_("Reason (shown to other operators; no personal data)"), max_length=500, required=False
    )


class TopicForm(RunForm):
    """The form for a replay of a topic. It selects records and receivers."""

    topic = forms.CharField(label=_("Topic, or topic:partition"), widget=_named("topics"), max_length=300)
    start = forms.CharField(
        label=_("From: earliest, an offset, or a time such as 2026-01-31 08:00:00 UTC"), max_length=100
    )
    end = forms.CharField(
        label=_("To, exclusive: an offset or a time (empty: all that is there now)"), max_length=100, required=False
    )
    group = forms.CharField(label=_("Group whose workers do it"), widget=_named("groups"), max_length=255)
    receiver = forms.CharField(
        label=_("Only this receiver (empty: all that listen)"),
        widget=_named("receivers"),
        max_length=500,
        required=False,
    )
    event_type = forms.CharField(
        label=_("Only this event type (empty: all)"), widget=_named("types"), max_length=255, required=False
    )
    key = forms.CharField(label=_("Only this key (empty: all)"), max_length=1000, required=False)

    field_order = ("topic", "start", "end", "group", "receiver", "event_type", "key")


class BackfillForm(RunForm):
    """The form for a backfill. It selects items of a source of this service."""

    source = forms.CharField(label=_("Source"), widget=_named("sources"), max_length=255)
    resume = forms.CharField(label=_("After the item with this token (empty: from the first)"), required=False)
    limit = forms.IntegerField(label=_("At most this many items (empty: all)"), min_value=1, required=False)
    group = forms.CharField(
        label=_("Group whose workers do it (empty: any worker that has the source)"),
        widget=_named("groups"),
        max_length=255,
        required=False,
    )

    field_order = ("source", "resume", "limit", "group")


@attrs.frozen(kw_only=True)
class RunAsking:
    """A kind of run: its form, its title, and the function that plans it."""

    form: type[RunForm]
    title: str | Promise
    plan: str
    """
    The name of the function in ``run_planning`` that plans this kind of run. The function itself cannot stand here,
    because ``run_planning`` loads Kafka's client and is imported late.
    """
    about: str | Promise
    """Sentences above the form: the purpose of this kind of run, and the effect of the form."""
    rights: tuple[Right, ...] = (Right.REPLAY,)
    """The rights for requesting this kind of run. A user needs all these rights."""

    def is_for(self, user: Any) -> bool:
        """Return whether ``user`` may request this kind of run."""
        return all(one.is_given_to(user) for one in self.rights)


ASKING: dict[str, RunAsking] = {
    "topic": RunAsking(
        form=TopicForm,
        title=_("Replay a topic"),
        plan="plan_topic",
        about=_(
            "Workers give records that a topic still has to receivers again, for example to receivers that are new or "
            "were mended. The next step only shows a plan."
        ),
    ),
    "backfill": RunAsking(
        form=BackfillForm,
        title=_("Backfill: send existing data as events"),
        plan="plan_backfill",
        about=_(
            "A worker sends events for data that exists already, for example to a service that is new. The next step "
            "only shows a plan."
        ),
        rights=(Right.REPLAY, Right.OPERATE),  # it sends events, also to other services
    ),
}
"""Name of a kind of run, which is part of the URL → the kind."""


def shared_values(form: RunForm) -> dict[str, Any]:
    """Return the values of the fields of :class:`RunForm`, as arguments for ``RunWish``."""
    return {name: form.cleaned_data[name] for name in ("rate", "stop_after", "reason", "group")}
