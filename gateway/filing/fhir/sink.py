"""The FHIR server as a record system.

Idempotent: the photo is looked for by its identifier first, and created on the condition that
there is none. A server that nevertheless made two of it (an answer that got lost, a condition
it does not know) keeps the older one; the others become entered-in-error. The caller has each
photo in one pair of hands, so nobody searches while another creates.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.audit.events import Act, Event
from gateway.filing.base import Filed, FilingError
from gateway.filing.fhir import codes
from gateway.filing.fhir.answers import (
    age_of,
    as_json,
    is_id,
    issues_of,
    list_of,
    reference_to,
    resources_of,
    succeeded,
)
from gateway.filing.fhir.audit import audit_event, tag_of
from gateway.filing.fhir.auth import Smart
from gateway.filing.fhir.codes import Coding
from gateway.filing.fhir.parts import Names, Resource, instant
from gateway.filing.fhir.provenance import Change, copied, copy_tag, provenance_of
from gateway.filing.fhir.request import request_of
from gateway.filing.fhir.resources import denial, transaction
from gateway.filing.record import FIRST, Assignment, Record, key_of
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain
from gateway.filing.web import Gone, Refused, Web
from gateway.report.making import ReportError, Style, make_report
from gateway.reviews import Review
from gateway.sharing.copies import TeachingCopy

_JSON: Final = "application/fhir+json"
IN_ERROR: Final = "entered-in-error"
_REPLACED: Final = {"DocumentReference": "superseded", "Consent": "inactive"}
OBJECTION: Final = "objection recorded"
_EVENTS_AT_ONCE: Final = 25
_PURPOSES: Final = ("care", "teaching")


class Fhir:
    """One FHIR server; ``clock`` gives milliseconds since 1970 UTC."""

    deletes = False

    def __init__(self, settings: FhirSettings, style: Style, clock: Callable[[], int]) -> None:
        self.name = settings.name
        self._settings = settings
        self._style = style
        self._clock = clock
        self._names = Names(settings.namespace)
        self._smart = Smart(settings) if settings.client_key is not None else None
        self._web = Web(
            settings,
            authorize=None if self._smart is None else self._smart.authorization,
            renew=None if self._smart is None else self._smart.renew,
        )
        self._devices: dict[str, str] = {}

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Nothing of it may be at the server before it is filed."""

    def unstage(self, photo: str) -> None:
        """Nothing was staged."""

    def probe(self) -> None:
        """Ask what it can do, and for a photo that nobody has: both with our authorization."""
        said = self._read("/metadata")
        version = str(said.get("fhirVersion", ""))
        if said.get("resourceType") != "CapabilityStatement" or not version.startswith("4."):
            raise FilingError(f"{self.name}.url is no FHIR R4 server (it says {version[:20]!r})")
        self._find("DocumentReference", "0" * 64)

    def close(self) -> None:
        """Close every connection."""
        self._web.close()
        if self._smart is not None:
            self._smart.close()

    # -- filing -----------------------------------------------------------------------------------

    def file(self, record: Record) -> str:
        """Create everything in one transaction, unless the photo is there already."""
        there = self._find(self._settings.photo_as, record.key)
        if there:
            return reference_to(self._only(there))
        try:
            report = make_report(record, self._style) if self._settings.report else None
        except ReportError as e:
            raise FilingError(str(e)) from e
        device = self._device(record)
        bundle = transaction(record, report, device, self._settings, self._clock())
        self._transact(bundle)
        there = self._find(self._settings.photo_as, record.key)
        if not there:
            raise FilingError(f"{self.name} said that it stored the photo, and does not find it")
        return reference_to(self._only(there))

    def _only(self, there: list[Resource]) -> Resource:
        """Return the oldest; what a lost answer made twice becomes entered-in-error."""
        first, *others = sorted(there, key=age_of)
        wrong = [one for one in others if one.get("status") != IN_ERROR]
        if wrong:
            self._update([{**one, "status": IN_ERROR} for one in wrong])
        return first

    def _device(self, record: Record) -> str | None:
        """Return what the server calls this appliance; None if it does not know it."""
        if record.device not in self._devices:
            there = self._search("Device", self._names.device, record.device)
            if not there:
                return None
            self._devices[record.device] = reference_to(min(there, key=age_of))
        return self._devices[record.device]

    # -- reading back -----------------------------------------------------------------------------

    def read_back(self, record: Record, reference: str) -> None:
        """Fetch the photo's resource and its content, and compare every byte of the JPEG."""
        found = self._read(f"/{reference}")
        identifiers = [one.get("value") for one in found.get("identifier", [])]
        if record.key not in identifiers or found.get("status") == IN_ERROR:
            raise FilingError(f"{self.name} gives back something else")
        patient = record.assignment.patient
        if patient is not None and not _is_about(found.get("subject", {}), patient):
            raise FilingError(f"{self.name} gives back the photo under another patient")
        attachments = _attachments(found)
        if found["resourceType"] == "Media" and self._settings.report:
            for page in self._find("DocumentReference", f"{record.key}.pdf"):
                attachments += _attachments(page)
        kinds = [one.get("contentType") for one in attachments]
        wanted = ["image/jpeg", *(["application/pdf"] if self._settings.report else [])]
        if sorted(kinds, key=str) != sorted(wanted):
            raise FilingError(f"{self.name} gives back something else")
        for attachment in attachments:
            content = self._content(attachment)
            if attachment.get("contentType") == "image/jpeg":
                same = content == record.jpeg
            else:
                sha1 = hashlib.sha1(content, usedforsecurity=False).digest()
                same = base64.b64encode(sha1).decode() == attachment.get("hash")
            if not same:
                raise FilingError(f"{self.name} gives back another content")

    def _content(self, attachment: Resource) -> bytes:
        """Fetch what an attachment points to, which must be a Binary of this very server."""
        url = str(attachment.get("url", ""))
        path = url.removeprefix(self._web.base).removeprefix("/")
        kind, _, name = path.partition("/")
        if kind != "Binary" or not is_id(name):
            raise FilingError(f"{self.name}: the content is not in a Binary of this server")
        wanted = str(attachment.get("contentType"))
        answer = self._web.request("GET", f"/{path}", headers={"Accept": wanted})
        if answer.headers.get("content-type", "").split(";")[0] not in (_JSON, "application/json"):
            return answer.content
        # A server may give the resource whatever was asked for.
        try:
            return base64.b64decode(as_json(answer, self.name)["data"], validate=True)
        except (KeyError, TypeError, ValueError) as e:
            raise FilingError(f"{self.name} gives back something else") from e

    # -- objection and correction -----------------------------------------------------------------

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Consent becomes inactive and denied; the care copy is very restricted and says why."""
        changed = [
            _objected(one, at_ms) for one in self._photo_of(filed) if one.get("status") != IN_ERROR
        ]
        fresh = []
        for consent in self._consents_of(filed, denied=False):
            if consent.get("status") == "active":
                changed.append({**consent, "status": "inactive"})
                fresh.append(denial(consent, at_ms))
        changed = [one for one in changed if one]
        said = Change(filed, codes.AMEND, OBJECTION, at_ms)
        self._update(changed, fresh, said)

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Everything that this assignment brought to the server becomes entered-in-error.

        What is replaced is superseded, and its consent inactive; R4's Media knows no such status.
        """
        there = [*self._photo_of(filed), *self._consents_of(filed, denied=True)]
        marked = []
        for one in there:
            status = IN_ERROR
            if filed.replaced:
                status = _REPLACED.get(one["resourceType"], IN_ERROR)
            if one.get("status") not in (status, IN_ERROR):
                marked.append({**one, "status": status})
        activity = codes.AMEND if filed.replaced else codes.NULLIFY
        why = "more is known of it" if filed.replaced else IN_ERROR
        self._update(marked, said=Change(filed, activity, why, at_ms))

    # -- requests ---------------------------------------------------------------------------------

    def review(self, review: Review, assignment: Assignment, since: int) -> None:
        """Create the ServiceRequest, or bring it to where the request stands now.

        In the chart that the photo was in before ``since``, it becomes entered-in-error.
        """
        wanted = request_of(review, assignment, self._settings, since)
        before: list[Resource] = []
        if since > FIRST:
            keys = [key_of(review.uid, number) for number in range(FIRST, since)]
            before = self._search("ServiceRequest", self._names.review, *keys)
        changed = [{**one, "status": IN_ERROR} for one in before if one.get("status") != IN_ERROR]
        there = self._search("ServiceRequest", self._names.review, key_of(review.uid, since))
        if there:
            one = min(there, key=age_of)
            told = {name: wanted[name] for name in ("status", "performer", "supportingInfo")}
            if any(one.get(name) != value for name, value in told.items()):
                changed.append({**one, **told})
        self._update(changed, [] if there else [wanted])

    # -- copies that left -------------------------------------------------------------------------

    def copied(self, copy: TeachingCopy) -> None:
        """Create the Provenance of a teaching copy, once."""
        there = self._find(self._settings.photo_as, key_of(copy.photo, copy.number))
        if not there:
            raise FilingError(f"{self.name} does not have the photo of a teaching copy yet")
        photo = min(there, key=age_of)
        made = copied(copy, [reference_to(photo)], self._settings, self._clock())
        self._tagged([(made, copy_tag(copy, self._settings))])

    def _photo_of(self, filed: Filed) -> list[Resource]:
        there = self._find("DocumentReference", filed.key, f"{filed.key}.pdf")
        return there + (
            self._find("Media", filed.key) if self._settings.photo_as == "Media" else []
        )

    def _consents_of(self, filed: Filed, *, denied: bool) -> list[Resource]:
        ends = [f".{purpose}" for purpose in _PURPOSES]
        ends += [f"{end}.denied" for end in ends] if denied else []
        keys = [f"{filed.key}{end}" for end in ends]
        return self._search("Consent", self._names.consent, *keys)

    def _update(
        self,
        changed: list[Resource],
        fresh: list[Resource] | None = None,
        said: Change | None = None,
    ) -> None:
        """Put what was changed, each on the condition that nobody else changed it meanwhile.

        ``said`` becomes a Provenance of it, in the same transaction.
        """
        entries = []
        for resource in changed:
            request = {"method": "PUT", "url": reference_to(resource)}
            version = resource.get("meta", {}).get("versionId")
            if version:
                request["ifMatch"] = f'W/"{version}"'
            entries.append({"resource": resource, "request": request})
        for resource in fresh or []:
            identifier = resource["identifier"][0]
            condition = f"identifier={identifier['system']}|{identifier['value']}"
            kind = resource["resourceType"]
            request = {"method": "POST", "url": kind, "ifNoneExist": condition}
            entries.append({"resource": resource, "request": request})
        if changed and said is not None:
            targets = [reference_to(resource) for resource in changed]
            resource = provenance_of(said, targets, self._settings)
            entries.append(
                {"resource": resource, "request": {"method": "POST", "url": "Provenance"}}
            )
        if entries:
            self._transact({"resourceType": "Bundle", "type": "transaction", "entry": entries})

    # -- the audit --------------------------------------------------------------------------------

    def wants(self, event: Event) -> bool:
        """A photo is created here together with its AuditEvent; of others only others are told."""
        if event.act is Act.CREATE:
            return False
        return event.act is not Act.UPDATE or event.place == self.name

    def tell(self, events: Sequence[Event], first: int) -> None:
        """Store an AuditEvent of each, once (gateway.audit.teller). Raises FilingError."""
        for at in range(0, len(events), _EVENTS_AT_ONCE):
            self._store_events(events[at : at + _EVENTS_AT_ONCE])

    def _store_events(self, events: Sequence[Event]) -> None:
        made = [audit_event(event, self._settings) for event in events]
        self._tagged(
            [(one, tag_of(e, self._settings)) for one, e in zip(made, events, strict=True)]
        )

    # -- what R4 gives no identifier --------------------------------------------------------------

    def _tagged(self, made: Sequence[tuple[Resource, Coding]]) -> None:
        """Create resources of one type, each unless there is one under its tag."""
        kind = made[0][0]["resourceType"]
        wanted = ",".join(f"{tag['system']}|{tag['code']}" for _, tag in made)
        params = {"_tag": wanted, "_count": str(2 * len(made))}
        known = {
            tag.get("code")
            for resource in resources_of(self._read(f"/{kind}", params), kind)
            for tag in list_of(resource.get("meta", {}).get("tag"))
        }
        entries = [
            {
                "resource": resource,
                "request": {
                    "method": "POST",
                    "url": kind,
                    "ifNoneExist": f"_tag={tag['system']}|{tag['code']}",
                },
            }
            for resource, tag in made
            if tag["code"] not in known
        ]
        if entries:
            # Each for itself: one that is there already must not keep the others out.
            self._transact({"resourceType": "Bundle", "type": "batch", "entry": entries})

    # -- FHIR's HTTP ------------------------------------------------------------------------------

    def _find(self, kind: str, *keys: str) -> list[Resource]:
        return self._search(kind, self._names.photo, *keys)

    def _search(self, kind: str, system: str, *values: str) -> list[Resource]:
        """Return the resources that bear one of these identifiers, whatever else comes along."""
        wanted = ",".join(f"{system}|{value}" for value in values)
        bundle = self._read(f"/{kind}", {"identifier": wanted})
        found = []
        for resource in resources_of(bundle, kind):
            named = [
                one.get("value")
                for one in list_of(resource.get("identifier"))
                if isinstance(one, dict) and one.get("system") == system
            ]
            if set(named) & set(values) and is_id(resource.get("id")):
                found.append(resource)
        return found

    def _read(self, path: str, params: dict[str, str] | None = None) -> Resource:
        try:
            answer = self._web.request("GET", path, headers={"Accept": _JSON}, params=params)
        except Gone as e:
            raise FilingError(f"{self.name} does not give it back") from e
        return as_json(answer, self.name)

    def _transact(self, bundle: Resource) -> None:
        try:
            answer = self._web.request(
                "POST",
                "",
                headers={"Content-Type": _JSON, "Accept": _JSON},
                content=json.dumps(bundle, ensure_ascii=False).encode(),
            )
        except Refused as e:
            raise FilingError(f"{e}{issues_of(e.answer)}") from e
        said = as_json(answer, self.name)
        done = [one for one in list_of(said.get("entry")) if succeeded(one)]
        if len(done) != len(bundle["entry"]):
            raise FilingError(
                f"{self.name} did only {len(done)} of {len(bundle['entry'])} steps of a transaction"
            )


def _attachments(resource: Resource) -> list[Resource]:
    if resource["resourceType"] == "Media":
        return [resource.get("content", {})]
    return [one.get("attachment", {}) for one in list_of(resource.get("content"))]


def _is_about(subject: Resource, patient: Any) -> bool:
    if patient.fhir:
        return bool(subject.get("reference") == patient.fhir)
    return bool(subject.get("identifier", {}).get("value") == plain(patient.number))


def _objected(resource: Resource, at_ms: int) -> Resource:
    """The resource with the objection on it; {} if it bears one already.

    R4's Media has no ``securityLabel`` of its own: its label is in ``meta.security``.
    """
    media, text = resource["resourceType"] == "Media", f"{OBJECTION} {instant(at_ms)}"
    meta, label = resource.get("meta", {}), codes.VERY_RESTRICTED
    if media:
        labels = list_of(meta.get("security"))
        known = {(one.get("system"), one.get("code")) for one in labels}
        if (label["system"], label["code"]) in known:
            return {}
        notes = [*list_of(resource.get("note")), {"text": text}]
        return {**resource, "meta": {**meta, "security": [*labels, dict(label)]}, "note": notes}
    labels = list_of(resource.get("securityLabel"))
    if codes.concept(label) in labels:
        return {}
    said = "; ".join(part for part in (resource.get("description"), text) if part)
    return {**resource, "description": said, "securityLabel": [*labels, codes.concept(label)]}
