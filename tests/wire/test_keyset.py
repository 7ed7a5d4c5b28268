import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.wire.strategies import changed
from wire import cbor, signing
from wire.errors import StaleKeyset, UntrustedKey
from wire.hpke import RecipientPrivate, RecipientPublic, SuiteName
from wire.keyset import TYP_KEYSET, Keyset, check_follows, issue, open_keyset
from wire.signing import Ed25519Signer

ROOT, RECEIPT, FLEET = (Ed25519Signer(letter * 32) for letter in (b"r", b"q", b"f"))
HYBRID = RecipientPrivate(SuiteName.HYBRID, b"1" * 32).public
P256 = RecipientPrivate(SuiteName.P256, b"2" * 32).public


def keyset(epoch: int = 1, recipients: tuple[RecipientPublic, ...] = (HYBRID, P256)) -> Keyset:
    return Keyset(epoch, 1_893_456_000_000, recipients, (RECEIPT.public,), (FLEET.public,))


def test_a_keyset_comes_back_as_it_was() -> None:
    issued = issue(keyset(), ROOT)
    opened = open_keyset(issued.raw, [ROOT.public])
    assert (opened.keyset, opened.raw, opened.hash) == (keyset(), issued.raw, issued.hash)


def test_P7_only_the_pinned_root_issues_keysets() -> None:
    for other in (RECEIPT, FLEET):
        with pytest.raises(UntrustedKey):
            open_keyset(issue(keyset(), other).raw, [ROOT.public])


@given(st.data())
def test_no_changed_keyset_is_believed(data: st.DataObject) -> None:
    raw = issue(keyset(), ROOT).raw
    bad = data.draw(changed(raw))
    if bad == raw:
        return
    with pytest.raises((FormatError, VerificationError)):
        open_keyset(bad, [ROOT.public])


def test_P8_an_older_epoch_or_a_second_keyset_of_the_same_is_refused() -> None:
    current = issue(keyset(5), ROOT)
    check_follows(issue(keyset(6), ROOT), current)
    check_follows(current, current)
    with pytest.raises(StaleKeyset) as caught:
        check_follows(issue(keyset(4), ROOT), current)
    assert str(caught.value) == (
        "a keyset of epoch 4 was offered; epoch 5 is in force and only a later one may follow"
    )
    with pytest.raises(StaleKeyset) as caught:
        check_follows(issue(keyset(5, (P256, HYBRID)), ROOT), current)
    assert str(caught.value) == "a second, different keyset of epoch 5 was offered"


def test_no_key_stands_there_twice() -> None:
    with pytest.raises(FormatError, match=r"^keyset names the same key twice$"):
        open_keyset(issue(keyset(1, (HYBRID, HYBRID)), ROOT).raw, [ROOT.public])


def test_a_key_that_cannot_be_sealed_to_is_found_before_a_photo_is() -> None:
    body: dict[str, object] = {
        "epoch": 1,
        "not_after_ms": 0,
        "recipients": [cbor.encode({1: 2, -1: 1, -2: b"x" * 32, -3: b"y" * 32})],
        "receipt_keys": [RECEIPT.public.encode()],
        "fleet_keys": [],
    }
    raw = signing.sign(body, typ=TYP_KEYSET, signer=ROOT)
    with pytest.raises(FormatError, match=r"^the p256 key is not a valid one$"):
        open_keyset(raw, [ROOT.public])


def test_a_keyset_without_recipients_cannot_be_issued() -> None:
    with pytest.raises(FormatError, match=r"recipients has length 0"):
        issue(keyset(1, ()), ROOT)
