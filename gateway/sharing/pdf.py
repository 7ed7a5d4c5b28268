"""A PDF that opens with its pass-phrase alone: AES-256, revision 6 (ISO 32000-2, 7.6.4).

Any PDF reader of the last ten years opens it. What is inside is the report, byte for byte.
"""

import io
import secrets

import pikepdf

from base.errors import WardsealError
from gateway.sharing.phrase import spelled


class NotEncrypted(WardsealError):
    """The PDF could not be encrypted."""


def encrypt(pdf: bytes, phrase: str) -> bytes:
    """Return ``pdf``, encrypted to ``phrase``. Raises NotEncrypted.

    The owner's password, which would let a reader change what is allowed, is thrown away.
    """
    out = io.BytesIO()
    allowed = pikepdf.Permissions(
        accessibility=True,
        extract=False,
        modify_annotation=False,
        modify_assembly=False,
        modify_form=False,
        modify_other=False,
        print_lowres=True,
        print_highres=True,
    )
    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            document.save(
                out,
                encryption=pikepdf.Encryption(
                    user=spelled(phrase),
                    owner=secrets.token_urlsafe(32),
                    R=6,
                    aes=True,
                    metadata=True,
                    allow=allowed,
                ),
            )
    except pikepdf.PdfError as e:
        raise NotEncrypted(f"the report could not be encrypted: {e}") from e
    return out.getvalue()
