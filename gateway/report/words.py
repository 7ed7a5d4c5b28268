"""The words of the report, in the languages of the wards."""

from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es")

_TABLE: Final = """
title          Clinical photograph | Klinische Fotografie | Photographie clinique | Fotografía clínica
picture        Clinical photograph taken {time}, bed {bed} | Klinische Fotografie vom {time}, Bett {bed} | Photographie clinique du {time}, lit {bed} | Fotografía clínica del {time}, cama {bed}
patient        Patient | Patient | Patient | Paciente
born           born | geboren | né(e) le | nacido/a el
nobody         Not identified | Nicht identifiziert | Non identifié | Sin identificar
named_by       Identified by | Identifiziert durch | Identifié par | Identificado por
encounter      Encounter | Fall | Séjour | Episodio
bed            Bed | Bett | Lit | Cama
site           Body site | Körperstelle | Site anatomique | Zona del cuerpo
note           Note | Anmerkung | Remarque | Nota
left           left | links | gauche | izquierda
right          right | rechts | droite | derecha
both           both sides | beidseits | des deux côtés | ambos lados
taken          Taken | Aufgenommen | Prise de vue | Tomada
no_clock       the device had no trusted time | das Gerät hatte keine verlässliche Uhrzeit | l'appareil n'avait pas d'heure fiable | el aparato no tenía una hora fiable
floor          at the earliest | frühestens | au plus tôt | como muy pronto
device         Device | Gerät | Appareil | Aparato
staff          Attested by | Bezeugt durch | Attesté par | Atestado por
unattested     no badge was read | kein Ausweis gelesen | aucun badge lu | no se leyó ninguna tarjeta
quality        Quality | Qualität | Qualité | Calidad
good           no fault found | ohne Beanstandung | sans défaut constaté | sin defectos
blurred        blurred | unscharf | floue | borrosa
dark           too dark | zu dunkel | trop sombre | demasiado oscura
bright         too bright | zu hell | trop claire | demasiado clara
poor           poor (the record says why) | mangelhaft (Grund in der Akte) | insuffisante (motif au dossier) | deficiente (motivo en la historia)
moved          moved | verwackelt | bougée | movida
level          May be used for | Verwendung für | Peut servir | Puede usarse para
care           care only | nur die Behandlung | uniquement aux soins | solo la atención
teaching       care, and teaching | Behandlung und Lehre | aux soins et à l'enseignement | la atención y la docencia
basis          On the ground of | Grundlage | Fondement | Fundamento
agreed         the patient was asked and agreed | der Patient wurde gefragt und hat zugestimmt | le patient a été interrogé et a accepté | se preguntó al paciente y aceptó
emergency      emergency, best interests | Notfall, im besten Interesse | urgence, intérêt supérieur | urgencia, interés superior
no-capacity    no capacity to decide, best interests | nicht einwilligungsfähig, im besten Interesse | incapacité à consentir, intérêt supérieur | sin capacidad para decidir, interés superior
proxy          a representative agreed | ein Vertreter hat zugestimmt | un représentant a accepté | aceptó un representante
wording        Wording | Wortlaut | Formulation | Texto
other_wording  the text with this SHA-256 | der Text mit dieser SHA-256 | le texte de ce SHA-256 | el texto con este SHA-256
label          Label | Etikett | Étiquette | Etiqueta
scale          Scale | Maßstab | Échelle | Escala
no_scale       no scale in the picture | kein Maßstab im Bild | pas d'échelle sur l'image | sin escala en la imagen
proof          Proof on the ledger | Nachweis im Protokoll | Preuve au registre | Prueba en el registro
photo          Photo (SHA-256 as sealed) | Foto (SHA-256, versiegelt) | Photo (SHA-256, scellée) | Foto (SHA-256, sellada)
jpeg           Picture (SHA-256) | Bild (SHA-256) | Image (SHA-256) | Imagen (SHA-256)
ledger         Ledger, number | Protokoll, Nummer | Registre, numéro | Registro, número
sealed         Entry SEALED | Eintrag SEALED | Entrée SEALED | Entrada SEALED
check          The code holds these values. They can be checked offline, with the device's ledger: wardseal ledger verify. | Der Code enthält diese Werte. Sie lassen sich ohne Netz am Protokoll des Geräts prüfen: wardseal ledger verify. | Le code contient ces valeurs. Elles se vérifient hors ligne, avec le registre de l'appareil : wardseal ledger verify. | El código contiene estos valores. Se comprueban sin conexión con el registro del aparato: wardseal ledger verify.
code           Proof on the ledger, as a QR code | Nachweis im Protokoll als QR-Code | Preuve au registre, code QR | Prueba en el registro, código QR
page           Page | Seite | Page | Página
not_measure    Not a measuring device. The picture is embedded exactly as the device sealed it. | Kein Messgerät. Das Bild ist genau so eingebettet, wie das Gerät es versiegelt hat. | N'est pas un appareil de mesure. L'image est intégrée telle que l'appareil l'a scellée. | No es un aparato de medida. La imagen está incluida tal como la selló el aparato.
"""  # noqa: E501


def _read_table() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for row in _TABLE.strip().splitlines():
        name, texts = row.split(None, 1)
        for language, text in zip(LANGUAGES, texts.split("|"), strict=True):
            found[language][name] = text.strip()
    return found


WORDS: Final = _read_table()
"""By language, then by name; ``picture`` takes ``time`` and ``bed``."""
