"""multipart/related as DICOMweb uses it (PS3.18 8.6, RFC 2387): one way out, one way in."""

import re
import secrets
from typing import Final

from base.errors import FormatError

DICOM: Final = "application/dicom"
_BOUNDARY: Final = re.compile(r"""boundary="?([0-9A-Za-z'()+_,./:=? -]{1,70})"?""")


def join(parts: list[bytes]) -> tuple[str, bytes]:
    """Return the content type and the body for DICOM files."""
    boundary = secrets.token_hex(16)
    while any(boundary.encode() in part for part in parts):
        boundary = secrets.token_hex(16)
    head = f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f'multipart/related; type="{DICOM}"; boundary={boundary}', body


def split(content_type: str, body: bytes) -> list[bytes]:
    """Return the parts' contents. Raises FormatError."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise FormatError("the answer is not multipart")
    mark = b"--" + found[1].strip().encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise FormatError("the answer breaks off")
    parts = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if not blank or len(head) > 4096:
            raise FormatError("a part of the answer has no head")
        parts.append(content)
    return parts
