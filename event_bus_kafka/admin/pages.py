"""Permissions, URLs and rendering shared by all pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import attrs
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connections, models, router, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from event_bus_kafka.admin.shapes import Linked
from event_bus_kafka.errors import ConfigurationError
from event_bus_kafka.models import Heartbeat, Right
from event_bus_kafka.models.presence import were_found
from event_bus_kafka.operations.status.asking import Ask, here, of_database

View = Callable[..., HttpResponse]

_LONGEST = 2.0
"""Maximum number of seconds for which a page waits for a database, except the database with the heartbeats."""


@attrs.frozen(kw_only=True)
class Link:
    """An entry of the navigation."""

    label: str
    url: str
    is_here: bool


class Page(admin.ModelAdmin):  # type: ignore[type-arg]
    """
    A page that replaces the admin of a model. Django's own forms for the model have no URL. :meth:`show` draws the
    page. Further pages and actions have URLs below the page's URL. Each URL demands at least the right to view.
    """

    tables: ClassVar[tuple[type[models.Model], ...]] = ()
    """Models whose tables the page needs. If a table is missing, the page only asks to migrate the service."""

    def show(self, request: HttpRequest) -> HttpResponse:
        """Draw the page."""
        raise NotImplementedError

    def below(self) -> Iterator[URLPattern]:
        """Yield the URL patterns below the page's URL. :meth:`page_at` and :meth:`action_at` make these patterns."""
        yield from ()

    def page_at(self, route: str, view: View, name: str, right: Right = Right.VIEW) -> URLPattern:
        """Return the URL pattern of a view that changes nothing: GET and HEAD only."""
        return outside_transactions(path(route, self._guarded(require_safe(view), right), name=self._url_name(name)))

    def action_at(self, route: str, view: View, name: str, right: Right) -> URLPattern:
        """
        Return the URL pattern of a view that changes something, or whose fields must not stand in a URL. Only POST.
        """
        return path(route, self._guarded(require_POST(view), right), name=self._url_name(name))

    def url(self, name: str = "changelist", *args: Any) -> str:
        """Return the URL of the view ``name``: this page, or a page or action below this page."""
        return reverse(f"admin:{self._url_name(name)}", args=args, current_app=self.admin_site.name)

    def filtered(self, **fields: str) -> str:
        """Return the URL of this page with filters. ``fields``: name of a filter → value."""
        return f"{self.url()}?{urlencode(fields)}"

    def draw(self, request: HttpRequest, template: str, title: str, context: Mapping[str, Any]) -> TemplateResponse:
        """Render one of this app's templates, which extend ``base.html``. ``title`` must not contain event data."""
        request.current_app = self.admin_site.name
        common = {
            **self.admin_site.each_context(request),
            "title": title,
            "page_url": self.url(),
            "page_title": self.title,
            "opts": self.opts,
            "navigation": list(self._navigation()),
        }
        return TemplateResponse(request, f"admin/event_bus_kafka/{template}.html", common | dict(context))

    def page_of(self, model: type[models.Model]) -> Page:
        """Return the page that is registered for ``model`` on the same admin site."""
        found = self.admin_site.get_model_admin(model)
        assert isinstance(found, Page)
        return found

    @property
    def title(self) -> str:
        """The page's title, which is also the text of its link on the admin's index."""
        return str(capfirst(self.opts.verbose_name_plural))

    @property
    def link(self) -> Linked:
        """A link to the page."""
        return Linked(text=self.title, url=self.url())

    def get_urls(self) -> list[URLPattern]:
        return [self.page_at("", self.show, "changelist"), *self.below()]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return Right.VIEW.is_given_to(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def is_migrated(self) -> bool:
        """Return whether all :attr:`tables` exist."""
        return all(were_found(connections[router.db_for_write(model)], model) for model in self.tables)

    def _guarded(self, view: View, right: Right) -> View:
        """
        Wrap a view so that it requires a login, the CSRF token, the right to view, and ``right``. If a table of the
        page is missing, or the view raises :class:`ConfigurationError`, the user gets a page that names the problem.
        Django's error reports leave out the fields of a POST.
        """

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not (Right.VIEW.is_given_to(request.user) and right.is_given_to(request.user)):
                raise PermissionDenied
            if not self.is_migrated():
                return self.draw(request, "unusable", self.title, {})
            try:
                return view(request, *args, **kwargs)
            except ConfigurationError as error:
                return self.draw(request, "unusable", self.title, {"problem": str(error)})

        found: View = self.admin_site.admin_view(sensitive_post_parameters()(guarded))
        return found

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _navigation(self) -> Iterator[Link]:
        for page in self.admin_site._registry.values():
            if isinstance(page, Page):
                yield Link(label=page.title, url=page.url(), is_here=page is self)


def beside(alias: str) -> Ask:
    """
    Return a function that asks the database ``alias``, for at most ``_LONGEST`` seconds; see :func:`of_database`. For
    the database with the heartbeats, the function asks in this thread, without a time limit, because pages cannot be
    shown without the answer.
    """
    return here if alias == router.db_for_write(Heartbeat) else of_database(alias, _LONGEST)


def outside_transactions(pattern: URLPattern) -> URLPattern:
    """
    Exempt the view of ``pattern`` from Django's ATOMIC_REQUESTS in all databases, so that an action commits after each
    batch of rows, and a failed statement does not make the later statements fail.
    """
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(pattern.callback)
    return pattern
