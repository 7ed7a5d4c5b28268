"""The named failures of docs/spec/README.md: what can be wrong with bytes from outside.

Each is a FormatError (the bytes are not what the specification says) or a VerificationError
(they are, but who made them, or for what, does not hold). ``failure`` returns the name that
the test vectors use, so that two implementations can be compared case by case.
"""

from base.errors import FormatError, VerificationError


class HeaderError(FormatError):
    """A protected header is misshapen, or names a version or algorithm that is not known."""


class WrongType(VerificationError):
    """Something signed for one purpose was offered for another."""


class UntrustedKey(VerificationError):
    """The key that signed is none of those that may sign this."""


class BadSignature(VerificationError):
    """The signature does not hold, or is not in its one allowed form."""


class NotForThisKey(VerificationError):
    """The content key is not wrapped for this private key, or the wrapping was changed."""


class ContentChanged(VerificationError):
    """The content does not decrypt: it, its header or its key is not what was sealed."""


class StaleKeyset(VerificationError):
    """A keyset was offered that must not follow the one in force."""


class BrokenLink(VerificationError):
    """Entries or envelope are each well made, but do not belong together."""


NAMES = {
    HeaderError: "header failure",
    WrongType: "type failure",
    UntrustedKey: "key failure",
    BadSignature: "signature failure",
    NotForThisKey: "recipient failure",
    ContentChanged: "content failure",
    StaleKeyset: "epoch failure",
    BrokenLink: "link failure",
}


def failure(error: FormatError | VerificationError) -> str:
    """Return the failure's name in the specification and its test vectors."""
    for kind, name in NAMES.items():
        if isinstance(error, kind):
            return name
    return "format failure" if isinstance(error, FormatError) else "verification failure"
