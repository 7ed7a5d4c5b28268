import pytest

from appliance import viewfinder
from appliance.frame import Frame, Layout
from appliance.orders import PICTURE_HEIGHT, PICTURE_WIDTH, VIEW_BYTES

LAYOUT = Layout.padded(320, 240)


def drawn(level_at: "dict[tuple[int, int], int] | int", layout: Layout = LAYOUT) -> list[str]:
    """The viewfinder's picture of a frame, a text of # and . for each row."""
    buffer = memoryview(bytearray(layout.size))
    for y in range(layout.height):
        for x in range(layout.width):
            level = level_at if isinstance(level_at, int) else level_at.get((x // 20, y // 20), 0)
            buffer[y * layout.stride + x] = level
    out = memoryview(bytearray(b"\xff" * VIEW_BYTES))
    viewfinder.draw(Frame(buffer, layout), out)
    rows = [f"{int.from_bytes(out[y * 16 : y * 16 + 16], 'big'):0128b}" for y in range(64)]
    return [row.replace("0", ".").replace("1", "#") for row in rows]


def test_the_whole_picture_is_shown_in_its_own_shape_and_nothing_beside_it() -> None:
    # White all along the edge: it must show on all four sides.
    edge = {(x, y): 255 for x in range(16) for y in range(12) if x in (0, 15) or y in (0, 11)}
    rows = drawn(edge)
    shown = [row.strip(".") for row in rows if "#" in row]
    wide, high = len(shown[0]), len(shown)
    assert wide <= PICTURE_WIDTH
    assert high <= PICTURE_HEIGHT
    assert abs(wide / high - 4 / 3) < 0.05
    assert shown[0] == shown[-1] == "#" * wide
    middle = shown[high // 2]
    assert middle.startswith("###")
    assert middle.endswith("###")
    assert middle[5:-5] == "." * (wide - 10)
    assert all(not row[PICTURE_WIDTH:].strip(".") for row in rows)
    assert all(not row.strip(".") for row in rows[PICTURE_HEIGHT:])


def test_the_picture_is_not_mirrored() -> None:
    # Bright upper left, and a little further right than down.
    rows = drawn({(x, y): 255 for x in range(4) for y in range(2)})
    lit = [(x, y) for y, row in enumerate(rows) for x, dot in enumerate(row) if dot == "#"]
    assert max(x for x, _ in lit) < PICTURE_WIDTH // 3
    assert max(y for _, y in lit) < PICTURE_HEIGHT // 4


def test_grey_becomes_a_pattern_as_dense_as_it_is_bright() -> None:
    levels = {
        (x, y): (255 if x < 4 else 128 if x < 12 else 0) for x in range(16) for y in range(12)
    }
    rows = drawn(levels)[:PICTURE_HEIGHT]
    grey = "".join(row[PICTURE_WIDTH * 3 // 8 : PICTURE_WIDTH * 5 // 8] for row in rows)
    assert 0.4 < grey.count("#") / len(grey) < 0.6
    assert "." in grey[:PICTURE_WIDTH]
    assert "#" in grey[:PICTURE_WIDTH]


def test_a_dim_picture_is_stretched_and_pure_noise_is_not() -> None:
    dim = {(x, y): (60 if x < 8 else 20) for x in range(16) for y in range(12)}
    row = drawn(dim)[PICTURE_HEIGHT // 2]
    assert row[4 : PICTURE_WIDTH // 2 - 2] == "#" * (PICTURE_WIDTH // 2 - 6)
    assert row[PICTURE_WIDTH // 2 + 2 : PICTURE_WIDTH] == "." * ((PICTURE_WIDTH + 1) // 2 - 2)
    noise = {(x, y): 100 + (x + y) % 2 for x in range(16) for y in range(12)}
    flat = "".join(row[4 : PICTURE_WIDTH - 4] for row in drawn(noise)[4 : PICTURE_HEIGHT - 4])
    assert 0.15 < flat.count("#") / len(flat) < 0.85


@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (640, 100), (64, 64)])
def test_frames_of_any_shape_fit(width: int, height: int) -> None:
    rows = drawn(255, Layout.padded(width, height))
    assert len(rows) == 64
    assert {len(row) for row in rows} == {128}
