"""The pass-phrase of a shared file: six words, chosen by us, for people choose badly.

Six of the EFF's 7,776 words are 77 bits; behind 600,000 rounds of PBKDF2 that is out of reach.
Read over a telephone, typed with or without capitals and with any white space.
"""

import unicodedata
from functools import cache
from typing import Final

from xkcdpass import xkcd_password

WORDS: Final = 6


@cache
def _list() -> tuple[str, ...]:
    file = xkcd_password.locate_wordfile("eff-long")
    return tuple(xkcd_password.generate_wordlist(wordfile=file, min_length=3, max_length=9))


def make() -> str:
    """Return a fresh pass-phrase, from the system's own randomness."""
    made: str = xkcd_password.generate_xkcdpassword(
        list(_list()), numwords=WORDS, delimiter=" ", case="lower"
    )
    return made


def spelled(phrase: str) -> str:
    """Return a phrase as it is meant however it was typed; the HTML file's script does the same."""
    return " ".join(unicodedata.normalize("NFKC", phrase).lower().split())
