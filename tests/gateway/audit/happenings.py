"""Things that happened, of each kind, and to hostile names."""

from dataclasses import replace

from gateway.audit.events import Act, Event
from gateway.filing.record import Patient
from tests.gateway.filing.photos import AT_MS, HOSTILE, PATIENT, PHOTO


def happening(act: Act, number: int = 1, patient: Patient | None = PATIENT) -> Event:
    """One event of a kind as the trail makes them."""
    usual = Event(
        id=f"00000000-0000-5000-8000-{number:012d}",
        act=act,
        at_ms=AT_MS,
        what={Act.DESTROY: "wiped on the device", Act.UPDATE: "entered in error"}.get(act, "photo"),
        subject=PHOTO,
        by="console",
        photo=PHOTO,
        key=PHOTO,
        patient=patient,
        login="a.osei",
        name="Ama Osei",
    )
    match act:
        case Act.CREATE | Act.UPDATE:
            return replace(usual, by="gateway", place="fhir", login="", name="")
        case Act.DESTROY:
            return replace(usual, by="ward3-bed12", place="ward3-bed12", login="", name="")
        case Act.DISCLOSE:
            return replace(usual, recipient="Dr. A. Meyer, Clinic", reason="second opinion")
        case Act.QUERY:
            return replace(usual, photo="", key="", what="list", subject="ward W3, held")
        case Act.SIGN_IN | Act.SIGN_OUT | Act.REFUSED:
            return replace(
                usual, photo="", key="", what=act.value, subject="/ledgers", patient=None
            )
        case _:
            return usual


EVENTS = {act.value: happening(act) for act in Act}
NOBODY = {f"{act.value}, nobody": happening(act, patient=None) for act in Act}
LEDGER = {"a ledger": replace(EVENTS["read"], photo="", key="", patient=None, what="ledger")}


def _hostile(act: Act, evil: str) -> Event:
    return replace(
        happening(act),
        subject=evil,
        login=evil,
        name=evil,
        recipient=evil,
        reason=evil,
        place=evil,
        patient=Patient(evil, evil, evil, evil, evil, evil),
    )


ALL: dict[str, Event] = {
    **EVENTS,
    **NOBODY,
    **LEDGER,
    **{
        f"hostile {act.value} {number}": _hostile(act, evil)
        for act in (Act.READ, Act.DISCLOSE, Act.QUERY, Act.REFUSED)
        for number, evil in enumerate(HOSTILE)
    },
}
