"""Whose photo it is: pages and forms by which named people say so, move it, and see a series.

What may be decided is ``gateway.cases``'s to say; here its words come on to the page. The gateway
carries decisions out when its bell rings (gateway.bell).
"""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.cases import Cases
from gateway.console.asking import field, photo_of, sentence
from gateway.console.audit import Audit, What
from gateway.console.render import Render
from gateway.console.roles import Role
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.console.work import signature
from gateway.identity.tables import PatientRow
from gateway.lightbox import Lightbox
from gateway.retention import Holds
from gateway.series import MOST, of_patient
from gateway.sharing.shares import Filter, Shares
from gateway.store import Store
from gateway.worklist_desk import NotDone

_SIZES: Final = {"small": 220, "": 340, "large": 500}
"""How many pixels across the widest picture of a wound is shown."""


class Whose:
    """Handlers, each as ``visits.page`` or ``visits.form`` wants it."""

    def __init__(
        self,
        *,
        render: Render,
        audit: Audit,
        store: Store,
        cases: Cases,
        holds: Holds,
        shares: Shares,
        lightbox: Lightbox,
    ) -> None:
        self._render = render
        self._audit = audit
        self._store = store
        self._cases = cases
        self._holds = holds
        self._shares = shares
        self._lightbox = lightbox

    def patient(self, request: Request, visit: Visit) -> Response:
        """Show one patient's photos, wound by wound, oldest first, side by side to one scale."""
        number = str(request.path_params["number"])[:100]
        self._audit.seen(visit.person, What.PATIENT, number)
        with self._store.read() as session:
            patient = session.get(PatientRow, number)
        if patient is None:
            raise Problem(404, "The hospital has told us of no patient with this number.")
        series = of_patient(self._store, number)
        size = request.query_params.get("size", "")
        target = _SIZES.get(size, _SIZES[""])
        return self._render.page(
            request,
            visit,
            "patient.html",
            patient=patient,
            series=series,
            shown=self._lightbox.shown,
            size=size if size in _SIZES else "",
            sizes=_SIZES,
            target=target,
            most=MOST,
            holds=self._holds.on_patient(number),
            governance=Role.GOVERNANCE in visit.person.roles,
            shares=self._shares.find(Filter(patient=number), limit=MOST),
        )

    def resolve(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Say whose a HELD photo is."""
        photo = photo_of(request)
        return self._decided(
            photo,
            visit,
            What.RESOLVED,
            lambda: self._cases.resolve(
                photo,
                patient=field(form, "patient"),
                encounter=field(form, "encounter") or None,
                by=signature(visit.person),
                reason=field(form, "reason"),
            ),
        )

    def move(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Ask for a filed photo to be moved to another patient."""
        photo = photo_of(request)
        return self._decided(
            photo,
            visit,
            What.MOVE_ASKED,
            lambda: self._cases.ask_to_move(
                photo,
                patient=field(form, "patient"),
                encounter=field(form, "encounter") or None,
                by=signature(visit.person),
                reason=field(form, "reason"),
            ),
        )

    def decide(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Confirm or refuse a move, as the second person."""
        photo, number = photo_of(request), str(request.path_params["move"])
        asked = [move.id for move in self._cases.moves(photo, waiting=True)]
        if not number.isdecimal() or int(number) not in asked:
            raise Problem(409, "This move does not wait for anybody any more.")
        return self._decided(
            photo,
            visit,
            What.MOVE_DECIDED,
            lambda: self._cases.decide(
                int(number),
                confirm=field(form, "answer") == "confirm",
                second=signature(visit.person),
            ),
        )

    def _decided(
        self, photo: str, visit: Visit, what: What, decide: Callable[[], object]
    ) -> Response:
        try:
            with self._audit.doing(visit.person, what, photo):
                decide()
        except NotDone as e:
            raise Problem(409, sentence(e)) from e
        return RedirectResponse(f"/photos/{photo}", 303)
