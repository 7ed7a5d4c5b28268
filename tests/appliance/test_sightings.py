"""What was seen in a window, and what a photo may say of it: never a patient who may be another."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.codes import Code, Kind
from appliance.orders import BadgeRead, BandRead, Bands
from appliance.sightings import NOTHING, Inside, Sightings
from wire.attestation import commitment
from wire.envelope import MOST_BANDS, Private

ANNA, BERTA, CARLA = (Code(Kind.BAND, name) for name in ("anna", "berta", "carla"))
NURSE, DOCTOR = (Code(Kind.BADGE, name) for name in ("nurse", "doctor"))
SALT = bytes(range(32))
ONE, SEVERAL, OTHER = (BandRead(which) for which in (Bands.ONE, Bands.SEVERAL, Bands.OTHER))


def seen(*looks: tuple[Code, ...]) -> tuple[Sightings, list[list[object]]]:
    sightings = Sightings(SALT)
    return sightings, [list(sightings.look(codes)) for codes in looks]


def test_a_band_counts_once_it_was_read_twice_and_is_said_once() -> None:
    sightings, news = seen((ANNA,), (), (ANNA,), (ANNA,))
    assert news == [[], [], [ONE], []]
    assert sightings.inside(None) == Inside(band="anna")


def test_a_band_that_was_read_once_names_nobody() -> None:
    sightings, news = seen((ANNA,))
    assert news == [[]]
    assert sightings.inside(None) == NOTHING


def test_another_band_instead_of_the_first_is_another_patient() -> None:
    sightings, news = seen((ANNA,), (ANNA,), (BERTA,), (BERTA,))
    assert news == [[], [ONE], [], [OTHER]]
    assert sightings.inside(None) == Inside(bands=("anna", "berta"))


def test_two_bands_side_by_side_name_nobody_for_the_rest_of_the_window() -> None:
    sightings, news = seen((ANNA, BERTA), (ANNA, BERTA), (ANNA,), (ANNA,))
    assert news == [[], [ONE, SEVERAL], [], []]
    assert sightings.inside(None) == Inside(bands=("anna", "berta"))


def test_side_by_side_counts_even_if_it_was_seen_before_the_second_was_certain() -> None:
    sightings, news = seen((ANNA,), (ANNA, BERTA), (BERTA,))
    assert news == [[], [ONE], [SEVERAL]]
    assert sightings.inside(None).band is None


def test_two_bands_beside_each_other_but_not_beside_the_first_are_other_patients() -> None:
    _, news = seen((ANNA,), (ANNA,), (BERTA, CARLA), (BERTA, CARLA))
    assert news[3][0] == OTHER


def test_a_photo_taken_while_another_band_has_been_read_once_names_nobody() -> None:
    sightings, _ = seen((ANNA,), (ANNA,), (BERTA,))
    assert sightings.inside(None) == Inside(bands=("anna", "berta"))
    sightings.look(())
    # It was read no second time, so it was a misreading.
    assert sightings.inside(None) == Inside(band="anna")


def test_the_first_badge_stands_for_the_window() -> None:
    sightings, news = seen((NURSE,), (NURSE,), (DOCTOR,), (DOCTOR,))
    shown = commitment(SALT, "nurse")
    assert news == [[], [BadgeRead(shown)], [], []]
    assert sightings.commitment == shown
    assert sightings.inside(shown) == Inside(badge="nurse", salt=SALT)


def test_P9_a_badge_goes_only_into_a_photo_whose_intent_names_it() -> None:
    sightings, _ = seen((NURSE,), (NURSE,))
    assert sightings.inside(None) == NOTHING
    assert sightings.inside(bytes(32)) == NOTHING


def test_P9_what_is_said_of_a_badge_differs_from_window_to_window() -> None:
    said = set()
    for _ in range(10):
        sightings = Sightings()
        sightings.look((NURSE,))
        said.update(sightings.look((NURSE,)))
    assert len(said) == 10


LOOKS = st.lists(st.lists(st.sampled_from([ANNA, BERTA, CARLA, NURSE, DOCTOR]), max_size=4))


@given(LOOKS)
def test_a_patient_is_named_only_if_nobody_else_was_seen_twice_or_is_in_sight(
    looks: list[list[Code]],
) -> None:
    sightings = Sightings(SALT)
    told: list[object] = []
    for look in looks:
        told += sightings.look(look)
        inside = sightings.inside(sightings.commitment)
        Private("W3-12", {}, inside.band, inside.bands, inside.badge, inside.salt)
        if inside.band is not None:
            assert {code.text for code in look if code.kind is Kind.BAND} <= {inside.band}
    counted = [code for code in (ANNA, BERTA, CARLA) if sum(code in look for look in looks) >= 2]
    bands = [news for news in told if isinstance(news, BandRead)]
    assert len(bands) == len(counted)
    assert bands[:1] == [ONE] * min(1, len(counted))
    assert ONE not in bands[1:]
    last = sightings.inside(None)
    if len(counted) == 1 and last.bands is None:
        assert last.band == counted[0].text
    assert (last.band is None) == (len(counted) != 1 or last.bands is not None)


@given(st.lists(st.lists(st.text(min_size=1, max_size=3).map(lambda t: Code(Kind.BAND, t)))))
def test_however_many_codes_come_by_the_memory_and_the_header_stay_small(
    looks: list[list[Code]],
) -> None:
    sightings = Sightings(SALT)
    for look in looks:
        sightings.look(look)
        assert len(sightings.inside(None).bands or ()) <= MOST_BANDS
