"""Wristbands and badges to hold into the simulated view, with real barcodes on them.

``CameraWorld.hold(wristband("(8018)400638133393500019", folder))`` is a nurse who lifts the
patient's arm. What is printed follows the code's spelling (docs/spec/envelope.md): a GS1 code as
DataMatrix and GS1-128, any other text as QR code and Code 128, as hospitals' printers do.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from appliance.drawing import FONT

BAND: Final = "(8018)400638133393500019"
OTHER_BAND: Final = "(8018)400638133393500323"
BADGE: Final = "(8017)400638133393500026"

_WHITE, _BLACK, _GREY = 244, 16, 120
_EDGE: Final = 24


def wristband(code: str, folder: Path) -> Path:
    """Draw a patient's band into ``folder``: a long strip, both kinds of barcode side by side."""
    matrix, linear = _square(code, 340), _bars(code, 700, 200)
    strip = Image.new("L", (1180, 400), _WHITE)
    strip.paste(matrix, (_EDGE, (strip.height - matrix.height) // 2))
    strip.paste(linear, (strip.width - linear.width - _EDGE, 150))
    _write(strip, (420, 60), "WRISTBAND")
    return _saved(strip, "wristband", code, folder)


def badge(code: str, folder: Path) -> Path:
    """Draw a staff badge into ``folder``: an upright card with one square code."""
    card = Image.new("L", (560, 760), _WHITE)
    ImageDraw.Draw(card).rectangle((0, 0, card.width, 120), _GREY)
    _write(card, (150, 40), "STAFF")
    matrix = _square(code, 440)
    card.paste(matrix, ((card.width - matrix.width) // 2, 220))
    return _saved(card, "badge", code, folder)


def _square(code: str, side: int) -> Image.Image:
    gs1 = code.startswith("(")
    kind = zxingcpp.BarcodeFormat.DataMatrix if gs1 else zxingcpp.BarcodeFormat.QRCode
    return _printed(zxingcpp.create_barcode(code, kind, gs1=gs1), side)


def _bars(code: str, wide: int, high: int) -> Image.Image:
    kind = zxingcpp.BarcodeFormat.Code128
    made = zxingcpp.create_barcode(code, kind, gs1=code.startswith("("))
    return _printed(made, wide).resize((wide, high))


def _printed(code: zxingcpp.Barcode, wide: int) -> Image.Image:
    """The barcode with its quiet zone, ``wide`` pixels wide or a little less: whole modules."""
    modules = code.to_image(scale=1).shape[1]
    drawn: Any = code.to_image(scale=max(1, wide // modules))  # its type does not say "array"
    return Image.fromarray(drawn)


def _write(picture: Image.Image, at: tuple[int, int], text: str) -> None:
    ImageDraw.Draw(picture).text(at, text, _BLACK, ImageFont.truetype(str(FONT), 56))


def _saved(picture: Image.Image, what: str, code: str, folder: Path) -> Path:
    """Save it under a name that tells bands apart and does not say the code (P9)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{what}-{hashlib.sha256(code.encode()).hexdigest()[:8]}.png"
    picture.save(path)
    return path
