"""One console for the tests of a file, with three photos in it, one of them undone."""

from collections.abc import Callable, Iterator

import pytest

from tests.console.reception import Console


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    made = Console(tmp_path_factory.mktemp("console"), free_port())
    for _ in range(3):
        made.take()
    made.ward_device.undo(made.photos[2])
    made.hospital.sync(made.ward_device, made.ward_device.batch())
    made.hospital.until(
        lambda: made.hospital.rows("select 1 from photos where state = 'undone'"), 10, "the undo"
    )
    with made:
        yield made


@pytest.fixture
def console(open_console: Console) -> Iterator[Console]:
    yield open_console
    open_console.send_home()
