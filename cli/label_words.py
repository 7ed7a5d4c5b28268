"""What a label's text is called by people, in the languages of the ward.

Codes are the same everywhere, so that a label from another ward is still read; what is printed
below them is the nurse's language. A site that is not here is printed as its code, or with a
name of the caller's own.
"""

from typing import Final, Literal

from wire.label import Code

Language = Literal["en", "de", "fr", "es"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de", "fr", "es")

WOUND: Final = {"en": "Wound", "de": "Wunde", "fr": "Plaie", "es": "Herida"}
SIDES: Final = {
    "L": {"en": "left", "de": "links", "fr": "gauche", "es": "izquierda"},
    "R": {"en": "right", "de": "rechts", "fr": "droite", "es": "derecha"},
}
SITES: Final = {
    code: dict(zip(LANGUAGES, names, strict=True))
    for code, names in {
        "ABDOMEN": ("Abdomen", "Bauch", "Abdomen", "Abdomen"),
        "ANKLE": ("Ankle", "Knöchel", "Cheville", "Tobillo"),
        "ARM": ("Upper arm", "Oberarm", "Bras", "Brazo"),
        "BACK": ("Back", "Rücken", "Dos", "Espalda"),
        "BUTTOCK": ("Buttock", "Gesäß", "Fesse", "Nalga"),
        "CALF": ("Calf", "Wade", "Mollet", "Pantorrilla"),
        "CHEST": ("Chest", "Brust", "Poitrine", "Pecho"),
        "EAR": ("Ear", "Ohr", "Oreille", "Oreja"),
        "ELBOW": ("Elbow", "Ellbogen", "Coude", "Codo"),
        "EYE": ("Eye", "Auge", "Œil", "Ojo"),
        "FACE": ("Face", "Gesicht", "Visage", "Cara"),
        "FINGER": ("Finger", "Finger", "Doigt", "Dedo"),
        "FOOT": ("Foot", "Fuß", "Pied", "Pie"),
        "FOREARM": ("Forearm", "Unterarm", "Avant-bras", "Antebrazo"),
        "GROIN": ("Groin", "Leiste", "Aine", "Ingle"),
        "HAND": ("Hand", "Hand", "Main", "Mano"),
        "HEAD": ("Head", "Kopf", "Tête", "Cabeza"),
        "HEEL": ("Heel", "Ferse", "Talon", "Talón"),
        "HIP": ("Hip", "Hüfte", "Hanche", "Cadera"),
        "KNEE": ("Knee", "Knie", "Genou", "Rodilla"),
        "LEG": ("Lower leg", "Unterschenkel", "Jambe", "Pierna"),
        "NECK": ("Neck", "Hals", "Cou", "Cuello"),
        "SACRUM": ("Sacrum", "Kreuzbein", "Sacrum", "Sacro"),
        "SHOULDER": ("Shoulder", "Schulter", "Épaule", "Hombro"),
        "SHIN": ("Shin", "Schienbein", "Tibia", "Espinilla"),
        "SITTING": ("Sitting bone", "Sitzbein", "Ischion", "Isquion"),
        "THIGH": ("Thigh", "Oberschenkel", "Cuisse", "Muslo"),
        "TOE": ("Toe", "Zeh", "Orteil", "Dedo del pie"),
    }.items()
}


def caption(code: Code, language: Language, name: str | None = None) -> tuple[str, str]:
    """Return the two lines for people: the site, and its side and wound; either may be empty.

    ``name``: what the caller calls the site.
    """
    site = name or SITES.get(code.site, {}).get(language, code.site)
    side = "" if code.side is None else SIDES[code.side][language]
    wound = "" if code.wound is None else f"{WOUND[language]} {code.wound}"
    return site, " · ".join(part for part in (side, wound) if part)
