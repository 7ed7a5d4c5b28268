"""The code in the report, as Typst draws it."""

import zxingcpp


def drawn(text: str) -> str:
    """Return a QR code that says ``text``, with its quiet zone, as SVG."""
    # M survives a crease or a stamp, and keeps the modules printable at this size.
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    svg = code.to_svg(add_quiet_zones=True)
    # Typst reads neither the DOCTYPE before it nor anything behind it.
    return svg[svg.index("<svg") : svg.rindex(">") + 1]
