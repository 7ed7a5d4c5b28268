"""Prints what hangs beside a device, as HTML to be printed from any browser.

    python scripts/print_cards.py            write both pages
    python scripts/print_cards.py --check    exit 1 when one of them is out of date

``docs/howto/wording-card.html``: the wording that the patient is asked with, a page for each
language, with its id and hash as each CONSENT entry on the ledger has them, and the same in easy
words. ``docs/howto/nurse.html``: docs/howto/nurse.md on one sheet of A4.
``tests/test_howto_pages.py`` compares.
"""

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from wire.cards import CARDS  # noqa: E402

HOWTO: Final = ROOT / "docs" / "howto"


@dataclass(frozen=True)
class Words:
    """What stands around the wording in one language; ``easy``: the same in six easy steps."""

    language: str
    title: str
    in_easy_words: str
    button: str
    names: str
    easy: tuple[str, str, str, str, str, str]


WORDS: Final = {
    "en": Words(
        "English",
        "Before we take a photo",
        "In easy words",
        "When you have agreed, we press the button that says",
        "The record of your consent names the text at the top by this number:",
        (
            "We want to take a photo.",
            "The photo helps us to care for you.",
            "It goes into your hospital notes. Only the people who treat you can see it.",
            "You can say no. That is all right.",
            "You can change your mind. Just tell us.",
            "When the lamp is on, the camera can see you.",
        ),
    ),
    "de": Words(
        "Deutsch",
        "Bevor wir ein Foto machen",
        "In leichter Sprache",
        "Wenn Sie zugestimmt haben, drücken wir den Knopf, auf dem steht",
        "Im Protokoll steht der Text oben mit dieser Nummer:",
        (
            "Wir möchten ein Foto machen.",
            "Das Foto hilft uns bei Ihrer Behandlung.",
            "Es kommt in Ihre Kranken-Akte. Nur die Menschen, die Sie behandeln, sehen es.",
            "Sie dürfen Nein sagen. Das ist in Ordnung.",
            "Sie dürfen es sich anders überlegen. Sagen Sie es uns einfach.",
            "Wenn die Lampe leuchtet, kann die Kamera Sie sehen.",
        ),
    ),
    "fr": Words(
        "Français",
        "Avant de prendre une photo",
        "En mots faciles",
        "Quand vous avez accepté, nous appuyons sur le bouton qui dit",
        "Le registre cite le texte du haut sous ce numéro :",
        (
            "Nous voulons prendre une photo.",
            "La photo nous aide à vous soigner.",
            "Elle va dans votre dossier. Seules les personnes qui vous soignent la voient.",
            "Vous pouvez dire non. Ce n'est pas grave.",
            "Vous pouvez changer d'avis. Dites-le-nous.",
            "Quand la lampe est allumée, la caméra peut vous voir.",
        ),
    ),
    "es": Words(
        "Español",
        "Antes de hacer una foto",
        "En palabras fáciles",
        "Cuando usted ha aceptado, pulsamos el botón que dice",
        "El registro nombra el texto de arriba con este número:",
        (
            "Queremos hacer una foto.",
            "La foto nos ayuda a cuidarle.",
            "Se guarda en su historia clínica. Solo la ven las personas que le atienden.",
            "Puede decir que no. No pasa nada.",
            "Puede cambiar de opinión. Díganoslo.",
            "Cuando la lámpara está encendida, la cámara puede verle.",
        ),
    ),
}

_SIGNS: Final = (
    # camera, heart, folder, no, change of mind, lamp
    (
        '<rect x="6" y="18" width="52" height="34" rx="6"/><path d="M22 18l4-8h12l4 8"/>'
        '<circle cx="32" cy="35" r="10"/>'
    ),
    '<path d="M32 54C10 40 6 26 12 18c6-8 16-5 20 4 4-9 14-12 20-4 6 8 2 22-20 36z"/>',
    '<path d="M6 52V14h18l6 8h28v30z"/><path d="M32 30v14M25 37h14"/>',
    '<circle cx="32" cy="32" r="24"/><path d="M22 22l20 20M42 22L22 42"/>',
    (
        '<path d="M14 26a20 20 0 0 1 36-4M50 38a20 20 0 0 1-36 4"/>'
        '<path d="M50 10v12H38M14 54V42h12"/>'
    ),
    (
        '<path d="M24 44c0-8-8-10-8-20a16 16 0 0 1 32 0c0 10-8 12-8 20z"/>'
        '<path d="M25 51h14M28 58h8"/><path d="M4 22h5M55 22h5M12 6l4 4M52 6l-4 4"/>'
    ),
)

_CARD_STYLE: Final = """
@page { size: A4 portrait; margin: 14mm; }
body { margin: 0; font-family: "Liberation Sans", Arial, Helvetica, sans-serif; color: #111; }
section { break-after: page; max-width: 182mm; margin: 0 auto; padding: 4mm 0; }
section:last-child { break-after: auto; }
h1 { font-size: 27pt; margin: 0 0 5mm; }
.asked { font-size: 21pt; line-height: 1.4; margin: 0 0 7mm; border-left: 2.5mm solid #15803d;
  padding-left: 6mm; }
.button { font-size: 14pt; margin: 0 0 8mm; }
.button b { display: inline-block; border: 0.6mm solid #15803d; border-radius: 99mm;
  padding: 1.5mm 5mm; margin-top: 2mm; white-space: nowrap; }
h2 { font-size: 18pt; margin: 0 0 3mm; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: flex; align-items: center; gap: 6mm; font-size: 17pt; line-height: 1.3;
  padding: 2mm 0; border-top: 0.3mm solid #d1d5db; }
li svg { flex: none; width: 13mm; height: 13mm; fill: none; stroke: #111; stroke-width: 3;
  stroke-linecap: round; stroke-linejoin: round; }
footer { margin-top: 6mm; font-size: 9.5pt; color: #374151; }
code { font-family: "Liberation Mono", monospace; font-size: 8.5pt; overflow-wrap: anywhere; }
"""

_NURSE_STYLE: Final = """
@page { size: A4 portrait; margin: 9mm 12mm; }
body { margin: 0 auto; max-width: 186mm; color: #111;
  font: 9.9pt/1.32 "Liberation Sans", Arial, Helvetica, sans-serif; }
h1 { font-size: 17pt; margin: 0 0 2mm; }
p { margin: 0 0 1.7mm; }
ol { margin: 0 0 2mm; padding-left: 6mm; }
li { margin: 0 0 0.8mm; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2mm; }
th, td { text-align: left; vertical-align: top; padding: 0.7mm 2mm; border: 0.25mm solid #9ca3af; }
th { background: #f3f4f6; }
code { font: bold 9.3pt "Liberation Sans", Arial, sans-serif; white-space: nowrap; }
a { color: inherit; text-decoration: none; }
"""


def card() -> str:
    """Return the wording card, a page for each language."""
    return _page("Wardseal wording card W1", _CARD_STYLE, "".join(map(_section, WORDS)))


def _section(language: str) -> str:
    words, asked = WORDS[language], CARDS[language]
    steps = "".join(
        f'<li><svg viewBox="0 0 64 64" aria-hidden="true">{sign}</svg>'
        f"<span>{escape(step)}</span></li>\n"
        for sign, step in zip(_SIGNS, words.easy, strict=True)
    )
    return (
        f'<section lang="{language}">\n<h1>{escape(words.title)}</h1>\n'
        f'<p class="asked">{escape(asked.text)}</p>\n'
        f'<p class="button">{escape(words.button)}<br><b>{escape(asked.button)}</b></p>\n'
        f"<h2>{escape(words.in_easy_words)}</h2>\n<ol>\n{steps}</ol>\n"
        f"<footer>{escape(words.names)}<br>{asked.id} · {language} ({escape(words.language)}) ·"
        f" SHA-256 <code>{asked.wording.hash.hex()}</code></footer>\n</section>\n"
    )


def nurse() -> str:
    """Return the ward's page on one sheet."""
    text = (HOWTO / "nurse.md").read_text().replace("[To print and hang up](nurse.html)\n", "")
    body = MarkdownIt("commonmark").enable("table").render(text)
    return _page("Wardseal: taking a photo", _NURSE_STYLE, body)


def _page(title: str, style: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


PAGES: Final = {"wording-card.html": card, "nurse.html": nurse}


def main() -> int:
    """Write, or compare."""
    for name, make in PAGES.items():
        if "--check" not in sys.argv:
            (HOWTO / name).write_text(make())
        elif (HOWTO / name).read_text() != make():
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
