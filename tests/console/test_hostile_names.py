"""Names that another system sent, full of markup: text on every page that shows them."""

from collections.abc import Callable, Iterator
from html import unescape

import pytest

from tests.console.reception import Console
from tests.console.test_pages import words
from tests.console.test_whose import CENSUS, FILED, carried_out, post
from tests.gateway.filing.photos import HOSTILE


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "census.csv").write_text(CENSUS)
    identity = {"csv": str(folder / "census.csv"), "authority": "urn:oid:1.2.3"}
    with Console(folder, free_port(), gateway={"identity": identity}) as console:
        yield console


MARKUP = [evil.replace("\0", "") for evil in HOSTILE if set(evil) & set("<>\"'&")]


def test_whatever_a_patient_is_called_is_text_on_every_page(console: Console) -> None:
    photo, nurse = console.take(), console.sign_in("nurse")
    post(nurse, photo, "resolve", patient="4711", encounter="E-88", reason="I saw it")
    carried_out(console, photo, FILED)
    for name in MARKUP:
        console.hospital.change(
            "update patients set family = :n, given = :n where number = '4711'", n=name
        )
        for path in ("/?day=", f"/photos/{photo.hex}", "/patients/4711", "/worklist"):
            page = nurse.get(path)
            assert page.status_code == 200, path
            assert name not in page.text, (path, name)
        series = unescape(words(nurse.get("/patients/4711").text))
        assert " ".join(name.split())[:5] in series, name
