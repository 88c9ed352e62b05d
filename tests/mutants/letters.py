"""Faults in the pages of dead letters: in searches, in masking, in deletions, and in entries of Django's history."""

from __future__ import annotations

from tests.mutants.fault import Fault

_TESTS = ("unit/admin/test_dead_letters.py",)

FAULTS = (
    Fault(
        name="a look at data is shown without a line in the history",
        file="admin/dead_letters/letters_page.py",
        scope="DeadLettersPage._unmasked",
        old='write_history(request, self, _("Looked at its data unmasked."), str(letter.pk))',
        new="pass",
        harm="nobody knows who has read personal data",
        tests=_TESTS,
    ),
    Fault(
        name="a letter's page shows its data unmasked",
        file="admin/dead_letters/letters_page.py",
        scope="DeadLettersPage._letter",
        old="self._draw_letter(request, self._found(number), unmasked=False)",
        new="self._draw_letter(request, self._found(number), unmasked=True)",
        harm="whoever may look reads personal data",
        tests=_TESTS,
    ),
    Fault(
        name="unmasking needs no right of its own",
        file="admin/dead_letters/letters_page.py",
        scope="DeadLettersPage.below",
        old='self.action_at("<int:number>/unmasked/", self._unmasked, "unmasked", Right.UNMASK)',
        new='self.action_at("<int:number>/unmasked/", self._unmasked, "unmasked", Right.VIEW)',
        harm="whoever may look reads personal data",
        tests=_TESTS,
    ),
    Fault(
        name="letters are discarded without a page that says how many",
        file="admin/dead_letters/letters_page.py",
        scope="DeadLettersPage._discard",
        old="CONFIRMED not in request.POST or until is None",
        new="CONFIRMED not in request.POST",
        harm="events are deleted that nobody has counted",
        tests=_TESTS,
    ),
    Fault(
        name="letters that failed after the plan are discarded with it",
        file="admin/dead_letters/letters_page.py",
        scope="DeadLettersPage._discard",
        old="meant.until(until)",
        new="meant.until(None)",
        harm="events are deleted that nobody has seen",
        tests=_TESTS,
    ),
    Fault(
        name="the history quotes what was searched for",
        file="admin/dead_letters/filters.py",
        scope="Filters.words",
        old='[f"{name} {text}" for name, text in self.fields.items() if name in self.form.fields]',
        new='[f"{name} {text}" for name, text in self.fields.items()]',
        harm="keys and ids of events stay in the history for ever",
        tests=_TESTS,
    ),
    Fault(
        name="a search is read from the URL",
        file="admin/dead_letters/filters.py",
        scope="Filters.of",
        old="SearchForm(request.POST)",
        new="SearchForm(data)",
        harm="keys come into logs of web servers",
        tests=_TESTS,
    ),
    Fault(
        name="names that differ in case are one to a page",
        file="operations/dead_letters/selection.py",
        scope="Selection.holds",
        old="self.receiver in ('', failure.receiver)",
        new="True",
        harm="on MySQL a discard takes letters of another receiver",
        tests=("unit/operations/test_selection.py",),
    ),
    Fault(
        name="a page begins with the letters of the same moment that the last one has shown",
        file="models/dead_letters.py",
        scope="DeadLetterQuerySet.beyond",
        old="models.Q(last_failed_at=failed_at, pk__lt=pk)",
        new="models.Q(last_failed_at=failed_at)",
        harm="an operator walks in a circle",
        tests=_TESTS,
    ),
    Fault(
        name="letters of the same moment are left out between pages",
        file="models/dead_letters.py",
        scope="DeadLetterQuerySet.beyond",
        old="models.Q(last_failed_at__lt=failed_at) | same",
        new="models.Q(last_failed_at__lt=failed_at)",
        harm="letters are never seen, nor discarded with the rest",
        tests=_TESTS,
    ),
    Fault(
        name="what a database error interrupted is not told",
        file="operations/dead_letters/discarding.py",
        scope="discard",
        old="if not number:\n    raise",
        new="raise",
        harm="events are deleted, and the history does not have it",
        tests=("unit/operations/test_discarding.py",),
    ),
)
