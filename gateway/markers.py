"""A JPEG as our device writes it, and nothing else (ITU-T T.81 Annex B).

A JPEG file can hold far more than a picture: comments, thumbnails, EXIF, a second file behind
the end. Our device writes none of it, so whatever deviates from its plain form did not come
from our encoder. This walk looks at every segment before a decoder sees the file::

    SOI  APP0(JFIF, no thumbnail)  DQT+  SOF0(8 bit, 4:2:0)  DHT+  SOS  scan  EOI
    SOI  APP0(JFIF, no thumbnail)  DQT+  SOF0(8 bit, 4:2:0)  DHT+  DRI  SOS  scan  RST0  scan  EOI

The second form is that of two bands, encoded at once. A scan holds no other marker, and EOI is
the last thing in the file. It runs inside the decoder process: even these few lines read what
a stranger may have written.
"""

import mmap
import re
from typing import Final, NamedTuple

JFIF_HEAD: Final = b"JFIF\0\x01"
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00]")
_MCU: Final = 16
_RST0: Final = 0xD0
_EOI: Final = 0xD9
_SAMPLING: Final = ((1, 0x22), (2, 0x11), (3, 0x11))
_AFTER: Final = {
    "SOI": {0xE0: "APP0"},
    "APP0": {0xDB: "DQT"},
    "DQT": {0xDB: "DQT", 0xC0: "SOF0"},
    "SOF0": {0xC4: "DHT"},
    "DHT": {0xC4: "DHT", 0xDD: "DRI", 0xDA: "SOS"},
    "DRI": {0xDA: "SOS"},
}
MAX_TABLES: Final = 8


class NotOurs(Exception):
    """The file is not of the one form our device writes; ``code`` says in which way."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Bands(NamedTuple):
    """Where a JPEG of two bands can be taken apart.

    ``sof``, ``scan``, ``cut``: offsets of SOF0, of the first coded byte, and of the RST0 that
    ends the upper band, which is ``rows`` pixels high.
    """

    sof: int
    scan: int
    cut: int
    rows: int


class Form(NamedTuple):
    """Width and height in pixels, and the two bands if there are two."""

    width: int
    height: int
    bands: Bands | None


def walk(data: bytes | mmap.mmap, size: int) -> Form:
    """Walk the ``size`` bytes of a JPEG and return its form.

    Raises NotOurs with one of the codes in ``gateway.decoding.WORDS``.
    """
    if size < 4 or data[0:2] != b"\xff\xd8":
        raise NotOurs("no-jpeg")
    state, at, tables = "SOI", 2, 0
    sof = width = height = interval = 0
    while state != "SOS":
        if at + 4 > size:
            raise NotOurs("cut-off")
        if data[at] != 0xFF or data[at + 1] not in _AFTER[state]:
            raise NotOurs("segment")
        state = _AFTER[state][data[at + 1]]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > size:
            raise NotOurs("cut-off")
        body = bytes(data[at + 4 : at + 2 + length])
        tables += state in ("DQT", "DHT")
        if tables > MAX_TABLES or not _plain(state, body):
            raise NotOurs("segment")
        if state == "SOF0":
            sof, width, height = at, _number(body[3:5]), _number(body[1:3])
        if state == "DRI":
            interval = _number(body)
        at += 2 + length
    bands = None
    if interval:
        cut = _scan(data, at, size, _RST0)
        bands = Bands(sof, at, cut - 2, _rows(interval, width, height))
        at = cut
    if _scan(data, at, size, _EOI) != size:
        raise NotOurs("trailing")
    return Form(width, height, bands)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _rows(interval: int, width: int, height: int) -> int:
    """Return how many rows of pixels a restart interval of whole rows of MCUs is."""
    rows, rest = divmod(interval, max(1, -(-width // _MCU)))
    if rest or not rows * _MCU < height:
        raise NotOurs("segment")
    return rows * _MCU


def _scan(data: bytes | mmap.mmap, at: int, size: int, due: int) -> int:
    """Check that the first marker from ``at`` on is the one that is due; return where it ends."""
    found = _MARKER_IN_SCAN.search(data, at, size)
    if found is None:
        raise NotOurs("cut-off")
    if data[found.start() + 1] != due:
        raise NotOurs("segment")
    return found.end()


def _plain(state: str, body: bytes) -> bool:
    """Tell whether one segment's content is what libjpeg writes for a 4:2:0 baseline picture."""
    match state:
        case "APP0":
            return len(body) == 14 and body.startswith(JFIF_HEAD) and body[12:] == b"\0\0"
        case "DQT":
            return len(body) == 65 and body[0] < 4 and 0 not in body[1:]
        case "SOF0":
            return (
                len(body) == 15
                and body[0] == 8
                and body[5] == 3
                and all(
                    (body[6 + 3 * i], body[7 + 3 * i]) == part for i, part in enumerate(_SAMPLING)
                )
            )
        case "DRI":
            return len(body) == 2 and body != b"\0\0"
        case "DHT":
            return (
                len(body) >= 17
                and body[0] in (0x00, 0x01, 0x10, 0x11)
                and len(body) == 17 + sum(body[1:17])
            )
        case _:
            return len(body) == 10 and body[0] == 3 and body[7:] == b"\x00\x3f\x00"
