"""Filters and searches that select dead letters, read from a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import attrs
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from event_bus_kafka.models import EntryState
from event_bus_kafka.operations.dead_letters.coordinates import Coordinates
from event_bus_kafka.operations.dead_letters.selection import Selection
from event_bus_kafka.shown import shown

ALL_SETTLED = "settled"
_AGES = {
    "1h": (_("in the last hour"), timedelta(hours=1)),
    "1d": (_("in the last day"), timedelta(days=1)),
    "7d": (_("in the last week"), timedelta(days=7)),
    "over-1d": (_("more than a day ago"), timedelta(days=1)),
    "over-7d": (_("more than a week ago"), timedelta(days=7)),
    "over-30d": (_("more than 30 days ago"), timedelta(days=30)),
}
_STATES = [
    ("", _("has still to succeed")),
    (ALL_SETTLED, _("need not succeed any more")),
    (EntryState.SUCCEEDED, _("succeeded at a replay")),
    (EntryState.REPLACED, _("replaced by another receiver")),
    (EntryState.DISCARDED, _("discarded")),
    (EntryState.EXPIRED, _("deleted for its age")),
]


def _offering(name: str) -> forms.TextInput:
    """Return a text field that suggests values of the letters' field ``name``, but accepts any value."""
    return forms.TextInput(attrs={"list": f"event-bus-{name}"})


class FilterForm(forms.Form):
    """Filters that a user can combine. They may stand in URLs, because none of them is a key or an id of an event."""

    group = forms.CharField(widget=_offering("group"), label=_("Group"), max_length=255, required=False)
    topic = forms.CharField(widget=_offering("topic"), label=_("Topic"), max_length=249, required=False)
    event_type = forms.CharField(widget=_offering("event_type"), label=_("Event type"), max_length=255, required=False)
    receiver = forms.CharField(widget=_offering("receiver"), label=_("Receiver"), max_length=500, required=False)
    error = forms.CharField(label=_("Error contains"), max_length=200, required=False)
    failed = forms.ChoiceField(
        label=_("Failed"),
        choices=[("", _("at any time")), *((name, label) for name, (label, _age) in _AGES.items())],
        required=False,
    )
    state = forms.ChoiceField(label=_("Receiver's state"), choices=_STATES, required=False)


class SearchForm(forms.Form):
    """
    Finds single events by id, coordinates or key. The form is sent by POST, because URLs and logs of web servers must
    not contain keys or ids.
    """

    event_id = forms.CharField(label=_("Event id"), max_length=36, required=False)
    place = forms.CharField(label=_("Topic:partition:offset"), max_length=300, required=False)
    key = forms.CharField(label=_("Key"), max_length=1000, required=False)

    def clean_place(self) -> Coordinates | None:
        text = self.cleaned_data["place"]
        try:
            return Coordinates.parse(text) if text else None
        except ValueError:
            raise forms.ValidationError(
                _("Write it as topic:partition:offset, as in prod-certificates:0:41.")
            ) from None


@attrs.frozen(kw_only=True)
class Filters:
    """The dead letters that a request selects, and the forms that the user filled in."""

    form: FilterForm
    search: SearchForm
    is_valid: bool
    selection: Selection
    """Criteria of the selected letters; without meaning if ``is_valid`` is False."""
    state: str
    """
    State of the listed entries, whose receivers are no longer pending; :data:`ALL_SETTLED` stands for all such states.
    Empty: the page lists letters, not entries.
    """
    fields: Mapping[str, str]
    """Name of each filled-in field → its text. Links and forms of the page send these fields again."""

    @classmethod
    def of(cls, request: HttpRequest) -> Filters:
        """Read the filters from the query string or from a POST. Searches in a query string are ignored."""
        data = request.POST if request.method == "POST" else request.GET
        form, search = FilterForm(data), SearchForm(request.POST)
        is_valid = form.is_valid() & search.is_valid()
        names = [*form.fields, *(search.fields if request.method == "POST" else ())]
        return cls(
            form=form,
            search=search,
            is_valid=is_valid,
            selection=_selection(form.cleaned_data, search.cleaned_data) if is_valid else Selection(),
            state=form.cleaned_data.get("state", ""),
            fields={name: text for name in names if (text := str(data.get(name, "")))},
        )

    @property
    def query(self) -> str:
        """``fields`` as a query string."""
        return urlencode(self.fields)

    @property
    def shows_form(self) -> bool:
        """Whether the page shows the form of filters at once: the user has set a filter, or a filter is invalid."""
        return any(name in self.fields for name in self.form.fields) or bool(self.form.errors)

    @property
    def searches(self) -> bool:
        """Whether the user searches for single events."""
        return any(name in self.fields for name in self.search.fields)

    def words(self) -> list[str]:
        """Return texts that describe the filters in Django's history, without data of an event."""
        words = [f"{name} {text}" for name, text in self.fields.items() if name in self.form.fields]
        return [*words, "a search"] if self.searches else words

    def named(self) -> list[str]:
        """Return the filled-in fields as the page shows them: their labels, and the texts that the user sees."""
        found = [one for form in (self.form, self.search) for one in form if one.name in self.fields]
        return [f"{one.label}: {shown(_text_in(one))}" for one in found]


def _text_in(field: forms.BoundField) -> str:
    value = str(field.value())
    return str(dict(getattr(field.field, "choices", ())).get(value, value))


def _selection(filters: Mapping[str, str], search: Mapping[str, object]) -> Selection:
    since, until = _moments(filters["failed"])
    names = {name: filters[name] for name in ("group", "topic", "event_type", "receiver", "error")}
    return Selection(failed_since=since, failed_until=until, **names, **search)  # type: ignore[arg-type]


def _moments(failed: str) -> tuple[datetime | None, datetime | None]:
    if not failed:
        return None, None
    moment = datetime.now(UTC) - _AGES[failed][1]
    return (None, moment) if failed.startswith("over-") else (moment, None)
