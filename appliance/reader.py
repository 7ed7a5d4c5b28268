"""The barcode reader: zxing-cpp on a viewfinder frame, where it lies in the camera's buffer.

It takes no copy of the frame's levels. What it makes of them (a black-and-white picture of the
frame, the decoded text) is on the heap of this process, which the allocator overwrites and the
darkroom's end frees.
"""

from typing import Any, Final

import zxingcpp

from appliance.codes import Symbol
from appliance.frame import Frame

_FORMATS: Final = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.Code128,
        zxingcpp.BarcodeFormat.DataMatrix,
        zxingcpp.BarcodeFormat.QRCode,
    ]
)
_OURS: Final = (zxingcpp.ContentType.GS1, zxingcpp.ContentType.Text)


def read(frame: Frame) -> list[Symbol]:
    """Return every Code 128, DataMatrix and QR code that can be read in the frame's luma.

    Dark on light only, and in the frame's own resolution, as bands are printed and small frames
    are: looking for the rest would take twice the time.
    """
    luma: Any = frame.luma  # zxing-cpp's types know no memoryview
    image = zxingcpp.ImageView(
        luma, frame.width, frame.height, zxingcpp.ImageFormat.Lum, frame.strides[0]
    )
    found = zxingcpp.read_barcodes(
        image,
        formats=_FORMATS,
        try_invert=False,
        try_downscale=False,
        text_mode=zxingcpp.TextMode.HRI,
    )
    return [
        Symbol(code.text, code.content_type is zxingcpp.ContentType.GS1)
        for code in found
        if code.content_type in _OURS
    ]
