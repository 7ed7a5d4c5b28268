"""Puts the photo into a page that was set around a stand-in for it.

Typst decodes every picture that it is shown, and of a photo nothing of that is needed: the PDF
holds the JPEG as it is (DCTDecode, ISO 32000-1, 7.4.8). So whoever sets the page never sees the
photo, and the photo takes the stand-in's place here, byte for byte, in its own width and height.
"""

import io
import os

import pikepdf

from base.errors import WardsealError
from base.memory import wipe_file

_JPEG = pikepdf.Name.DCTDecode


class NotMounted(WardsealError):
    """The page has no place for the photo."""


def mount(page: bytes, jpeg: memoryview, width: int, height: int) -> bytes:
    """Return ``page`` with the JPEG of so many pixels in place of its only one. Raises NotMounted.

    The same page and the same photo give the same bytes.
    """
    out = os.memfd_create("report")
    try:
        with pikepdf.open(io.BytesIO(page)) as document, open(out, "wb", 0, closefd=False) as file:
            pictures = [
                one
                for one in document.objects
                if isinstance(one, pikepdf.Stream) and one.get("/Filter") == _JPEG
            ]
            if len(pictures) != 1:
                raise NotMounted(f"the page has {len(pictures)} pictures, where one is to be")
            (picture,) = pictures
            picture.write(bytes(jpeg), filter=_JPEG)
            picture.Width, picture.Height = width, height
            # A BytesIO would grow again and again, and be overwritten each time it moves.
            document.save(file, deterministic_id=True, fix_metadata_version=False)
        return os.pread(out, os.fstat(out).st_size, 0)
    except pikepdf.PdfError as e:
        raise NotMounted(f"the page is no PDF: {e}") from e
    finally:
        wipe_file(out)
        os.close(out)
