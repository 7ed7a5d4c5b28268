"""The worklist's pages: what waits for a person, and the forms by which a named person acts.

What can be done is ``gateway.worklist_desk``'s to say; here its words come on to the page.
"""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.accounts import Person
from gateway.console.asking import LONGEST, sentence
from gateway.console.audit import Audit, What
from gateway.console.render import Render
from gateway.console.roles import MAY, Area
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.lightbox import Lightbox
from gateway.tables import WorkKind
from gateway.worklist_desk import Filter, Item, NotDone, Worklist

PAGE: Final = 100
_LARGEST_ID: Final = 2**62


class Work:
    """Handlers, each as ``visits.page`` or ``visits.form`` wants it."""

    def __init__(
        self, *, render: Render, audit: Audit, worklist: Worklist, lightbox: Lightbox
    ) -> None:
        self._render = render
        self._audit = audit
        self._worklist = worklist
        self._lightbox = lightbox

    def list(self, request: Request, visit: Visit) -> Response:
        """Show open items, or closed ones when asked."""
        asked = request.query_params
        kind, mine, closed = (asked.get(name, "") for name in ("kind", "mine", "closed"))
        which = _filter(kind, mine, closed, visit)
        before = _number(asked.get("before", "")) or None
        self._audit.seen(visit.person, What.WORKLIST, str(request.url.query))
        items = self._worklist.items(which, limit=PAGE, before=before)
        return self._render.page(
            request,
            visit,
            "worklist.html",
            items=items,
            counts=self._worklist.counts(),
            kinds=list(WorkKind),
            kind=kind,
            mine=bool(mine),
            closed=bool(closed),
            more=items[-1].id if len(items) == PAGE else None,
        )

    def item(self, request: Request, visit: Visit) -> Response:
        """Show one item, its photo and its history."""
        return self._item(request, visit, "")

    def assign(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Give it to somebody: to the person who asks when no name is given."""
        owner = str(form.get("owner", "")).strip() or signature(visit.person)
        note = str(form.get("note", ""))[:LONGEST]
        return self._act(
            request,
            visit,
            What.ASSIGNED,
            lambda item: self._worklist.assign(item, owner, by=signature(visit.person), note=note),
        )

    def close(self, request: Request, visit: Visit, form: FormData) -> Response:
        """End it, with a note that says how."""
        note = str(form.get("note", ""))[:LONGEST]
        return self._act(
            request,
            visit,
            What.CLOSED,
            lambda item: self._worklist.close(
                item, by=signature(visit.person), note=note, governance=decides(visit.person)
            ),
        )

    def _act(
        self, request: Request, visit: Visit, what: What, act: Callable[[int], Item]
    ) -> Response:
        number = _id(request)
        try:
            with self._audit.doing(visit.person, what, about(self._worklist.get(number))):
                act(number)
        except NotDone as e:
            return self._item(request, visit, sentence(e), status=409)
        return RedirectResponse(f"/worklist/{number}", 303)

    def _item(self, request: Request, visit: Visit, words: str, *, status: int = 200) -> Response:
        number = _id(request)
        try:
            item, history = self._worklist.get(number), self._worklist.history(number)
        except NotDone as e:
            raise Problem(404, sentence(e)) from e
        self._audit.seen(visit.person, What.WORKLIST, about(item))
        ends = self._ends_otherwise(item, visit.person)
        return self._render.page(
            request,
            visit,
            "work_item.html",
            status=status,
            item=item,
            history=history,
            words=words,
            ends=ends,
            closes=not ends,
            seen=item.photo is not None and self._lightbox.small(item.photo).is_file(),
        )

    def _ends_otherwise(self, item: Item, person: Person) -> str:
        """Say in words what ends an item that this person cannot close; empty if he can."""
        if item.kind == WorkKind.OBJECTION:
            return "Governance decides it on the photo's page; that ends it."
        if item.kind == WorkKind.ALARM and not decides(person):
            return "Governance closes it."
        if item.kind == WorkKind.HELD and self._worklist.still_held(item):
            return "It ends when somebody says whose photo it is, or enters an objection."
        return ""


def signature(person: Person) -> str:
    """How a person stands in an item's history: name, and what tells namesakes apart."""
    login = f" ({person.login[:60]})"
    return person.name[: 100 - len(login)] + login


def decides(person: Person) -> bool:
    """Tell whether somebody decides for the hospital, as governance."""
    return bool(MAY[Area.DECISIONS] & person.roles)


def about(item: Item) -> str:
    """How an item is called in the audit."""
    return f"item {item.id} {item.subject}"


def _filter(kind: str, mine: str, closed: str, visit: Visit) -> Filter:
    if kind and kind not in set(WorkKind):
        raise Problem(400, "There is no such kind.")
    return Filter(
        kinds=(WorkKind(kind),) if kind else (),
        owner=signature(visit.person) if mine else None,
        open=not closed,
    )


def _id(request: Request) -> int:
    number = _number(request.path_params["item"])
    if not number:
        raise Problem(404, "There is no such item.")
    return number


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 and int(text) < _LARGEST_ID else 0
