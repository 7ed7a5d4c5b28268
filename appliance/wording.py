"""Every word that the device says.

The wording that the patient was asked with is in ``wire.cards``: the hospital's side knows it too.

A phrase is one or two lines with ``/`` between them, at most ten characters each in every
language: that is what can be read from the other side of a bed. ``{n}`` and ``{time}`` are
filled in.
"""

from enum import StrEnum
from typing import Final

from wire.cards import CARDS
from wire.events import Wording

LANGUAGES: Final = ("en", "de", "fr", "es")
LONGEST: Final = 10


class Phrase(StrEnum):
    """What can be said; the English words are in ``PHRASES``."""

    ASK_FIRST = "ask_first"
    OFFLINE = "offline"
    CARE_ONLY = "care_only"
    TEACHING = "teaching"
    READY = "ready"
    WAIT = "wait"
    KEPT = "kept"
    POOR = "poor"
    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    FINISHED = "finished"
    NEW_ASK = "new_ask"
    NO_CONSENT = "no_consent"
    BAND_OK = "band_ok"
    SEVERAL_BANDS = "several_bands"
    BADGE_OK = "badge_ok"
    BUSY = "busy"
    SENDING = "sending"
    PHOTO = "photo"
    PHOTOS = "photos"
    NO_PHOTO = "no_photo"
    SAVING = "saving"
    SEALED = "sealed"
    SENT = "sent"
    FILED = "filed"
    HELD = "held"
    REJECTED = "rejected"
    REFUSED = "refused"
    REVOKED = "revoked"
    NOT_ENROLLED = "not_enrolled"
    NOT_PROVEN = "not_proven"
    DAMAGED = "damaged"
    WRONG_KEY = "wrong_key"
    TOO_LARGE = "too_large"
    CALL_IT = "call_it"
    LOST = "lost"
    AGAIN = "again"
    KEEP_OPEN = "keep_open"
    UNDO_SENT = "undo_sent"
    UNDONE = "undone"
    EMERGENCY = "emergency"
    NO_CAPACITY = "no_capacity"
    PROXY = "proxy"
    UNDO_AT = "undo_at"
    UNDO_LAST = "undo_last"
    UNDO_ALL = "undo_all"
    BACK = "back"
    NOTHING = "nothing"
    TO_UNDO = "to_undo"
    CLEANING = "cleaning"
    CAMERA_FAULT = "camera_fault"
    LEDGER_FAULT = "ledger_fault"
    KEYS_ENDED = "keys_ended"
    SCREEN_FAULT = "screen_fault"
    CONSENT_STUCK = "consent_stuck"
    CAPTURE_STUCK = "capture_stuck"


_TABLE: Final = """
ask_first      ASK FIRST     | ERST/FRAGEN           | DEMANDER/D'ABORD    | PREGUNTE/ANTES
offline        OFFLINE       | OFFLINE               | HORS LIGNE          | SIN RED
care_only      CARE ONLY     | BEHANDLUNG            | POUR SOINS          | ASISTENCIA
teaching       +TEACHING     | +LEHRE                | +FORMATION          | +DOCENCIA
ready          READY         | BEREIT                | PRÊT                | LISTO
wait           WAIT          | WARTEN                | ATTENDRE            | ESPERE
kept           KEPT {n}      | FOTO {n}              | PHOTO {n}           | FOTO {n}
poor           KEPT POOR     | SCHLECHT              | MAUVAISE            | DEFICIENTE
blurred        BLURRED       | UNSCHARF              | FLOU                | BORROSA
dark           DARK          | DUNKEL                | SOMBRE              | OSCURA
bright         BRIGHT        | ZU HELL               | TROP CLAIR          | MUY CLARA
finished       FINISHED      | FERTIG                | TERMINÉ             | TERMINADO
new_ask        NEW? ASK      | NEU FRAGEN            | REDEMANDER          | PREGUNTE/OTRA VEZ
no_consent     NO CONSENT    | KEINE/ZUSTIMMUNG      | SANS/ACCORD         | SIN/PERMISO
band_ok        BAND OK       | BAND OK               | BRACEL. OK          | PULSERA OK
several_bands  2 BANDS       | 2 BÄNDER              | 2 BRACEL.           | 2 PULSERAS
badge_ok       BADGE OK      | AUSWEIS OK            | BADGE OK            | CARNET OK
busy           BUSY          | BESETZT               | OCCUPÉ              | OCUPADO
sending        SENDING       | SENDET                | ENVOI               | ENVIANDO
photo          1 PHOTO       | 1 FOTO                | 1 PHOTO             | 1 FOTO
photos         {n} PHOTOS    | {n} FOTOS             | {n} PHOTOS          | {n} FOTOS
no_photo       NO PHOTO      | KEIN FOTO             | SANS PHOTO          | SIN FOTO
saving         SAVING        | SICHERT               | SAUVEGARDE          | GUARDANDO
sealed         SEALED        | VERSIEGELT            | SCELLÉ              | SELLADO
sent           SENT          | GESENDET              | ENVOYÉ              | ENVIADO
filed          FILED         | ABGELEGT              | CLASSÉ              | ARCHIVADO
held           HELD          | IN PRÜFUNG            | À VÉRIFIER          | RETENIDO
rejected       REJECTED      | ABGELEHNT             | REJETÉ              | RECHAZADO
refused        REFUSED       | ABGEWIESEN            | REFUSÉ              | DENEGADO
revoked        REVOKED       | GESPERRT              | RÉVOQUÉ             | BLOQUEADO
not_enrolled   NOT SET UP    | UNBEKANNT             | INCONNU             | SIN ALTA
not_proven     NOT PROVEN    | UNBEWIESEN            | NON PROUVÉ          | SIN PRUEBA
damaged        DAMAGED       | BESCHÄDIGT            | ABÎMÉ               | DAÑADO
wrong_key      WRONG KEY     | SCHLÜSSEL?            | AUTRE CLÉ           | OTRA CLAVE
too_large      TOO LARGE     | ZU GROSS              | TROP LOURD          | MUY GRANDE
call_it        CALL IT       | IT ANRUFEN            | AVISER DSI          | AVISAR TIC
lost           LOST          | VERLOREN              | PERDU               | PERDIDO
again          TAKE AGAIN    | NEU MACHEN            | REFAIRE             | REPETIR
keep_open      KEEP OPEN     | AUFLASSEN             | PAS FERMER          | NO CERRAR
undo_sent      UNDO SENT     | WIDERRUF/GESENDET     | ANNULATION/ENVOYÉE  | ANULACIÓN/ENVIADA
undone         UNDONE        | WIDERRUFEN            | ANNULÉ              | ANULADO
emergency      EMERGENCY     | NOTFALL               | URGENCE             | URGENCIA
no_capacity    NO/CAPACITY   | KANN NICHT/ZUSTIMMEN  | INAPTE À/CONSENTIR  | SIN/CAPACIDAD
proxy          PROXY         | VERTRETER             | MANDATAIRE          | APODERADO
undo_at        UNDO {time}   | WIDERRUF/{time}       | ANNULER/{time}      | ANULAR/{time}
undo_last      UNDO LAST     | LETZTES/WIDERRUFEN    | ANNULER/DERNIÈRE    | ANULAR/LA ÚLTIMA
undo_all       UNDO ALL      | ALLE/WIDERRUFEN       | TOUT/ANNULER        | ANULAR/TODO
back           BACK          | ZURÜCK                | RETOUR              | VOLVER
nothing        NOTHING       | NICHTS                | RIEN                | NADA
to_undo        TO UNDO       | ZU LÖSCHEN            | À ANNULER           | QUE ANULAR
cleaning       CLEANING      | REINIGUNG             | NETTOYAGE           | LIMPIEZA
camera_fault   CAMERA/FAULT  | KAMERA/DEFEKT         | CAMÉRA/EN PANNE     | CÁMARA/AVERIADA
ledger_fault   LEDGER/FAULT  | PROTOKOLL/DEFEKT      | JOURNAL/EN PANNE    | REGISTRO/AVERIADO
keys_ended     KEYS/EXPIRED  | SCHLÜSSEL/ABGELAUFEN  | CLÉS/PÉRIMÉES       | CLAVES/CADUCADAS
screen_fault   SCREEN/FAULT  | ANZEIGE/DEFEKT        | ÉCRAN/EN PANNE      | PANTALLA/AVERIADA
consent_stuck  CONSENT/STUCK | ZUSTIMMUNG/KLEMMT     | BTN ACCORD/COINCÉ   | PERMISO/ATASCADO
capture_stuck  CAPTURE/STUCK | AUSLÖSER/KLEMMT       | BTN PHOTO/COINCÉ    | FOTO/ATASCADO
"""


def _read_table() -> dict[Phrase, dict[str, str]]:
    found = {}
    for row in _TABLE.strip().splitlines():
        name, texts = row.split(None, 1)
        columns = (text.strip() for text in texts.split("|"))
        found[Phrase(name)] = dict(zip(LANGUAGES, columns, strict=True))
    return found


PHRASES: Final = _read_table()


def lines(phrase: Phrase, language: str, *, n: int = 0, time: str = "") -> tuple[str, ...]:
    """Return the lines of a phrase; a number beyond 999 is shown as 999."""
    text = PHRASES[phrase][language].format(n=min(n, 999), time=time)
    return tuple(text.split("/"))


def line(phrase: Phrase, language: str, *, n: int = 0) -> str:
    """Return a phrase that has one line only."""
    (only,) = lines(phrase, language, n=n)
    return only


def consent_wording(language: str) -> Wording:
    """Return the wording in use in this language, as the ledger names it."""
    return CARDS[language].wording
