"""Reading what a FHIR server answers, none of which is believed before it is looked at. Pure."""

from collections.abc import Iterator
from typing import Any

import httpx2

from gateway.filing.base import FilingError
from gateway.filing.fhir.parts import Resource


def as_json(answer: httpx2.Response, name: str) -> Resource:
    """The resource in an answer of the server ``name``. Raises FilingError."""
    try:
        found = answer.json()
    except ValueError as e:
        raise FilingError(f"{name} answered with something that is no JSON") from e
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise FilingError(f"{name} answered with something that is no FHIR resource")
    return found


def issues_of(answer: httpx2.Response) -> str:
    """What kind of trouble, and where; not the text, which could name a patient."""
    try:
        issues = answer.json().get("issue", [])
        where = [(one.get("code"), *one.get("expression", [])) for one in issues]
    except (ValueError, AttributeError, TypeError):
        return ""
    said = "; ".join(" ".join(str(part) for part in one) for one in where)[:200]
    return f" ({said})" if said and said.isprintable() else ""


def succeeded(entry: Any) -> bool:
    """Whether a step of a transaction or batch was done."""
    status = entry.get("response", {}).get("status") if isinstance(entry, dict) else None
    return str(status).startswith("2")


def resources_of(bundle: Resource, kind: str) -> Iterator[Resource]:
    """Everything of one type in a searchset."""
    for entry in list_of(bundle.get("entry")):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == kind:
            yield resource


def list_of(value: Any) -> list[Any]:
    """The list, or an empty one where it is none."""
    return value if isinstance(value, list) else []


def is_id(value: Any) -> bool:
    """FHIR's ``id``; anything else could lead elsewhere in a URL."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= 64
        and value.strip(".") != ""
        and all(c.isascii() and (c.isalnum() or c in "-.") for c in value)
    )


def reference_to(resource: Resource) -> str:
    """A literal reference, within the server that has it."""
    return f"{resource['resourceType']}/{resource['id']}"


def age_of(resource: Resource) -> tuple[str, str]:
    """By which the oldest of several comes first."""
    return str(resource.get("meta", {}).get("lastUpdated", "")), str(resource["id"])
