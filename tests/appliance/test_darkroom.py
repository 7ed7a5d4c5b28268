import io
from pathlib import Path

import pytest
from PIL import Image

from tests.appliance.bedside import HEIGHT, WIDTH, Bedside


@pytest.fixture
def bedside(tmp_path: Path) -> Bedside:
    return Bedside(tmp_path)


def test_a_consent_and_two_captures_make_two_photos_that_the_hospital_can_open(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        photos = [bedside.take(life, consent) for _ in range(2)]
        assert life.end() == 0
    for sealed in photos:
        content = bedside.opened(sealed)
        assert content.private.bed == "W3-12"
        assert content.private.quality["poor"] == []
        with Image.open(io.BytesIO(content.jpeg)) as picture:
            picture.load()
            assert picture.size == (WIDTH, HEIGHT)
            assert picture.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert sorted(p.name for p in bedside.sealing.iterdir()) == sorted(s.name for s in photos)
