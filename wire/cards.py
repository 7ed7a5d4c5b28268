"""The wording on the card by the device, which the patient is asked with.

Its id, language and hash stand in each CONSENT entry; the text itself goes into the report that
the hospital makes of a photo. It is text that somebody signs off: it is never changed, and a
change, of a comma too, gets a new id.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from wire.events import Wording


@dataclass(frozen=True)
class Card:
    """The wording put to the patient, and what is engraved on CONSENT in that language."""

    id: str
    language: str
    text: str
    button: str

    @property
    def wording(self) -> Wording:
        """What the ledger's CONSENT entry says of it."""
        return Wording(self.id, self.language, hashlib.sha256(self.text.encode()).digest())


_W1: Final = {
    "en": (
        (
            "May we take a photo for your care? It goes into your hospital record and to the"
            " people who treat you, and to nobody else. You may say no. You may change your"
            " mind. While the lamp is on, the camera can see you."
        ),
        "I asked; they agreed",
    ),
    "de": (
        (
            "Dürfen wir für Ihre Behandlung ein Foto machen? Es kommt in Ihre Krankenakte und"
            " zu den Menschen, die Sie behandeln, und zu niemandem sonst. Sie dürfen Nein"
            " sagen. Sie dürfen es sich anders überlegen. Solange die Lampe leuchtet, kann"
            " die Kamera Sie sehen."
        ),
        "Ich habe gefragt; man hat zugestimmt",
    ),
    "fr": (
        (
            "Pouvons-nous prendre une photo pour vos soins ? Elle va dans votre dossier"
            " médical et aux personnes qui vous soignent, et à personne d'autre. Vous pouvez"
            " dire non. Vous pouvez changer d'avis. Tant que la lampe est allumée, la caméra"
            " peut vous voir."
        ),
        "J'ai demandé ; on a accepté",
    ),
    "es": (
        (
            "¿Podemos hacer una foto para su atención? Va a su historia clínica y a las"
            " personas que le atienden, y a nadie más. Puede decir que no. Puede cambiar de"
            " opinión. Mientras la lámpara está encendida, la cámara puede verle."
        ),
        "He preguntado; han aceptado",
    ),
}

CARDS: Final = {
    language: Card("W1", language, text, button) for language, (text, button) in _W1.items()
}


def by_hash(sha256: bytes) -> Card | None:
    """Return the card with this text, in whatever language, if it is one of ours."""
    return next((card for card in CARDS.values() if card.wording.hash == sha256), None)
