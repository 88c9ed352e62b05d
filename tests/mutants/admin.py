"""Faults in the pages of Django's admin."""

from __future__ import annotations

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        name="whoever is of the staff sees the event bus",
        file="admin/pages.py",
        scope="Page._guarded",
        old="if not (Right.VIEW.is_given_to(request.user) and right.is_given_to(request.user)):\n"
        "    raise PermissionDenied",
        new="pass",
        harm="URLs that are tried directly show and do what their users may not",
        tests=("unit/admin/test_pages.py",),
    ),
    Fault(
        name="what is asked about is done before it is confirmed",
        file="admin/actions.py",
        scope="confirm_and_apply",
        old="CONFIRMED not in request.POST or plan.is_empty",
        new="plan.is_empty",
        harm="a click on Discard deletes, and no page has said how many",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="what is done by hand is in no history",
        file="admin/actions.py",
        scope="confirm_and_apply",
        old="write_history(request, page, done, plan.object_id)",
        new="pass",
        harm="nobody knows who discarded events",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="rows that were parked after the question are discarded, too",
        file="admin/parked.py",
        scope="Selected.of",
        old="if last:\n    rows = rows.filter(parked_at__lte=int(last))",
        new="pass",
        harm="more events are lost than the page has said",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="names of strangers are put into pages as they are",
        file="templatetags/event_bus_names.py",
        scope="breakable",
        old='format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _BREAKS.split(str(text))))',
        new='mark_safe("<wbr>".join(_BREAKS.split(str(text))))',
        harm="an event's type runs a script in an operator's browser",
        tests=("unit/admin/test_names.py",),
    ),
    Fault(
        name="a release goes on however long it takes",
        file="operations/outboxes.py",
        scope="slice_of",
        old="monotonic() > end",
        new="False",
        harm="a server ends the request in between, and nobody knows how far it came",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="slices of an action are one transaction",
        file="admin/pages.py",
        scope="in_slices",
        old="transaction.non_atomic_requests(using=alias)(pattern.callback)",
        new="pass",
        harm="where requests are transactions, a request that is cut off has done nothing, after minutes of locks",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="actions are open to whoever may look",
        file="admin/outbox.py",
        scope="OutboxPage.below",
        old='yield in_slices(self.action_at("discard/", self.discard, "discard", Right.DISCARD))',
        new='yield in_slices(self.action_at("discard/", self.discard, "discard", Right.VIEW))',
        harm="viewers delete events",
        tests=("unit/admin/test_actions.py",),
    ),
    Fault(
        name="a table without reasons takes no pause",
        file="models/pauses.py",
        scope="PausedReceiver._do_insert",
        old="if not PausedReceiver.objects.using(using).keeps_reasons():\n"
        '    fields = [field for field in fields if field.name != "reason"]',
        new="pass",
        harm="receivers cannot be paused until the service is migrated",
        tests=("unit/management/test_pausing.py",),
    ),
    Fault(
        name="calls of receivers are counted as events",
        file="operations/history.py",
        scope="summed",
        old='rows.filter(receiver="")',
        new="rows",
        harm="charts show several times what came",
        tests=("unit/admin/test_shown.py",),
    ),
    Fault(
        name="the packages of Kafka come with the admin",
        file="admin/events.py",
        old="from event_bus_kafka.admin import charts",
        new="from event_bus_kafka.admin import charts, whereabouts",
        harm="each web process takes longer to start",
        tests=("unit/admin/test_pages.py",),
    ),
    Fault(
        name="pages take each time to have a zone",
        file="admin/ages.py",
        scope="moment",
        old="make_aware(time, get_default_timezone()) if is_naive(time) else time",
        new="time",
        harm="without USE_TZ the overview fails from the first thing on that is done by hand",
        tests=("unit/admin/test_naive_times.py",),
    ),
    Fault(
        name="a page below another fails where a setting is missing",
        file="admin/pages.py",
        scope="Page._guarded",
        old="try:\n"
        "    return view(request, *args, **kwargs)\n"
        "except ConfigurationError as error:\n"
        '    return self.draw(request, "unusable", self.title, {"problem": str(error)})',
        new="return view(request, *args, **kwargs)",
        harm="an error 500 in place of a sentence that says what to set",
        tests=("unit/admin/test_pages.py",),
    ),
    Fault(
        name="a letter is shown only where a registry is",
        file="admin/dead_letters/detail.py",
        scope="_contents",
        old="return masked_key, {'undecodable': _('The data cannot be decoded here. %(why)s') % {'why': error}}",
        new="raise",
        harm="nobody sees who failed and why on a web process without a registry",
        tests=("unit/admin/test_dead_letters.py",),
    ),
)
