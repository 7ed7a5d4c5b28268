"""What was shared outside ends with the objection, a move, or by hand. On both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from base.memory import Buffer
from gateway import config as configuration
from gateway.cases import Cases
from gateway.config import MIB
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.keyring.keys import GatewayKeys
from gateway.lightbox import Lightbox
from gateway.objections import Objections
from gateway.opening import Opener
from gateway.reopening import Reopener
from gateway.report.making import Style
from gateway.sharing.desk import Sharing
from gateway.sharing.shares import Filter, Form, Share, Shares
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.vault import Vault
from gateway.worklist_desk import Filter as Items
from gateway.worklist_desk import NotDone
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from tests.gateway.test_cases import BANDED, desk
from tests.gateway.test_cases import cases as cases  # noqa: PLC0414  a fixture

TO = "Dr Osei, Hill Clinic"
ASKED = Items(kinds=(WorkKind.SHARED,))


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def bedside(ward: Hospital) -> Device:
    return ward.enrol()


@pytest.fixture
def photo(ward: Hospital, bedside: Device) -> Photo:
    taken = bedside.photo(private=BANDED)
    assert ward.receive(bedside, taken).status == "FILED"
    return taken


@pytest.fixture
def sharing(ward: Hospital) -> Iterator[Callable[..., Share]]:
    """Shares as ``wardseal share`` does, from the sealed copy."""
    store = Store(engine_for(ward.url, ward.state / "gateway.db"))
    with Buffer(4 * MIB) as room:
        maker = Sharing(
            store=store,
            opened=lambda row, whose: reopener_of(ward).reopen(row, whose, room),
            style=Style(),
            clock=clock,
        )

        def share(photo: Photo, **change: Any) -> Share:
            given: dict[str, Any] = {
                "to": TO,
                "reason": "second opinion",
                "by": "J. Doe",
                "form": Form.HTML,
            }
            made = maker.share(photo.hex, **{**given, **change})
            return Shares(store=store, clock=clock).get(made.id)

        yield share
    store.close()


def reopener_of(ward: Hospital) -> Reopener:
    config = configuration.load(ward.config_file)
    keys, registry = GatewayKeys.load(config.keys), Registry(config.paths.devices)
    vault = Vault(config.paths.sealed, Lightbox(config.paths.opened))
    opener = Opener(
        registry=registry, keys=keys.openings, keysets=keys.keysets, further=vault.further
    )
    return Reopener(registry=registry, opener=opener, vault=vault)


def the_item(ward: Hospital) -> Any:
    (item,) = desk(ward).items(ASKED)
    return item


def check_ended(ward: Hospital, decided: Store, share: Share, why: str) -> None:
    now = Shares(store=decided, clock=clock).get(share.id)
    assert not now.live and now.revoked_why == why and now.revoked_ms is not None
    item = the_item(ward)
    assert item.id == now.item and item.photo == share.photo and item.owner == "J. Doe"
    assert item.why.startswith(f"ask {TO} for the copy to be destroyed (html, shared ")
    assert item.patient == "4711"
    desk(ward).close(item.id, by="J. Doe", note="Dr Osei wrote that it is deleted")
    answered = Shares(store=decided, clock=clock).get(share.id)
    assert (answered.answer, answered.answered_by) == (
        "Dr Osei wrote that it is deleted",
        "J. Doe",
    )


def test_undo_on_the_device_ends_shares_the_moment_its_entry_comes(
    ward: Hospital,
    bedside: Device,
    photo: Photo,
    sharing: Callable[..., Share],
    decided: Store,
) -> None:
    share = sharing(photo)
    assert share.live and share.patient == "4711" and share.use == "share for a referral"
    bedside.undo(photo)
    ward.sync(bedside, bedside.batch())
    check_ended(ward, decided, share, "UNDO was pressed on the device")
    with pytest.raises(NotDone, match="the patient objected"):
        sharing(photo)


def test_an_objection_told_ends_shares_in_the_same_transaction(
    ward: Hospital, photo: Photo, sharing: Callable[..., Share], decided: Store
) -> None:
    share = sharing(photo)
    Objections(store=decided, clock=clock).object(
        photo.hex, said_by="the patient", said_ms=clock(), words="", by="A. Ruiz"
    )
    check_ended(ward, decided, share, "the patient objected")
    with pytest.raises(NotDone, match="the patient objected"):
        sharing(photo)


def test_a_move_ends_shares_and_none_is_made_while_it_is_under_way(
    ward: Hospital, photo: Photo, sharing: Callable[..., Share], decided: Store, cases: Cases
) -> None:
    share = sharing(photo)
    move = cases.ask_to_move(photo.hex, patient="815", encounter=None, by="A", reason="wrong bed")
    with pytest.raises(NotDone, match="asked to be moved"):
        sharing(photo)
    cases.decide(move.id, confirm=True, second="B")
    with pytest.raises(NotDone, match="asked to be moved"):
        sharing(photo)
    check_ended(ward, decided, share, "it shows another patient than it was filed to")
    ward.look_around()
    ward.until(lambda: len(cases.assignments(photo.hex)) == 2, 20, "the move")
    again = sharing(photo)
    assert again.live and again.patient == "815"


def test_a_share_is_ended_by_hand_once_with_a_reason(
    ward: Hospital, photo: Photo, sharing: Callable[..., Share], decided: Store
) -> None:
    share, shares = sharing(photo), Shares(store=decided, clock=clock)
    with pytest.raises(NotDone, match="a reason is needed"):
        shares.revoke(share.id, by="O. Fischer", reason=" ")
    assert shares.revoke(share.id, by="O. Fischer", reason="sent to a wrong address").item
    with pytest.raises(NotDone, match="ended already"):
        shares.revoke(share.id, by="O. Fischer", reason="again")
    check_ended(ward, decided, share, "sent to a wrong address")


def test_shares_are_found_by_day_recipient_and_person(
    ward: Hospital, photo: Photo, sharing: Callable[..., Share], decided: Store
) -> None:
    mine = sharing(photo)
    other = sharing(photo, to="100% _Sure_ Clinic", by="P. Lind")
    shares = Shares(store=decided, clock=clock)
    for which, found in (
        (Filter(), [other.id, mine.id]),
        (Filter(recipient="hill"), [mine.id]),
        (Filter(recipient="0% _s"), [other.id]),
        (Filter(recipient="%"), [other.id]),
        (Filter(person="lind"), [other.id]),
        (Filter(patient="815"), []),
        (Filter(live=False), []),
    ):
        assert [share.id for share in shares.find(which)] == found, which


def test_an_objection_and_a_share_at_the_same_moment_leave_no_live_share(
    ward: Hospital, bedside: Device, sharing: Callable[..., Share], decided: Store
) -> None:
    """Whichever comes first, no share is live once the objection is on record."""
    objections, shares = Objections(store=decided, clock=clock), Shares(store=decided, clock=clock)
    for _ in range(4):
        taken = bedside.photo(private=BANDED)
        assert ward.receive(bedside, taken).status == "FILED"
        gate, refused = threading.Barrier(2), list[str]()

        def share_it(taken: Photo = taken, gate: Any = gate, refused: Any = refused) -> None:
            gate.wait()
            try:
                sharing(taken)
            except NotDone as e:
                refused.append(str(e))

        other = threading.Thread(target=share_it)
        other.start()
        gate.wait()
        objections.object(taken.hex, said_by="the patient", said_ms=clock(), words="", by="A")
        other.join()
        made = shares.of(taken.hex)
        assert len(made) + len(refused) == 1
        assert not any(share.live for share in made)


HOSTILE = (
    "<script>alert(1)</script>",
    ") /JS (app.alert(1)) >> endobj",
    "../../etc/passwd\\..\\x",
    "\u202egpj.exe\u202c Dr \u2066Osei",
    "a\nb\x00\x1b[2J",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_P10_hostile_names_and_reasons_stay_words(
    photo: Photo, sharing: Callable[..., Share], text: str
) -> None:
    share = sharing(photo, to=text, reason=text, form=Form.PDF)
    assert not set("\u202e\u202c\u2066\n\x00\x1b") & set(share.recipient + share.reason)
    with pytest.raises(NotDone, match="nothing of it can be read"):
        sharing(photo, to="\u202e\u2066")
