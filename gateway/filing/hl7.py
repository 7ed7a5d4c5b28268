"""The report as HL7 v2.5.1 MDM messages over MLLP, for a record system that has nothing newer.

    file      MDM^T02   original document notification and content: the PDF in OBX-5 (ED)
    undo      MDM^T03   document status change: confidentiality very restricted
    correct   MDM^T11   document cancel notification, to the patient it was sent for

HL7 v2 cannot be asked what it has. What counts as filed is the acknowledgement (AA or CA) of
exactly this message; a message whose acknowledgement got lost is sent again with the same
control id (MSH-10) and the same unique document number (TXA-12), by which a receiver knows it.
"""

import base64
import contextlib
import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import hl7

from base import tls
from gateway.filing.base import Filed, FilingError
from gateway.filing.record import Assignment, Record
from gateway.filing.settings import Hl7Settings
from gateway.filing.text import plain
from gateway.filing.web import tls_context
from gateway.report.making import ReportError, Style, make_report

_START: Final = b"\x0b"
_END: Final = b"\x1c\r"
_LONGEST_ANSWER: Final = 64 * 1024
_TAKEN: Final = frozenset({"AA", "CA"})
_REFUSED: Final = frozenset({"AE", "AR", "CE", "CR"})
_SEXES: Final = {"male": "M", "female": "F", "other": "O"}
# HL7 v2.5.1, 2.7.1; the text is one line of printable characters by then.
_ESCAPED: Final = str.maketrans(
    {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"}
)
_JUDGED_WITHIN: Final = 1.0
_HUNG_UP: Final = "it hangs up at once"
_REFERENCE: Final = "MDM/"


class Refused(FilingError):
    """The receiver answered that it does not take the message."""


class Hl7:
    """One receiver; ``clock`` gives milliseconds since 1970 UTC."""

    deletes = False

    def __init__(self, settings: Hl7Settings, style: Style, clock: Callable[[], int]) -> None:
        self.name = settings.name
        self._settings = settings
        self._style = style
        self._clock = clock
        self._tls = tls_context(settings) if settings.ca is not None else None

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Nothing may be sent before it is filed."""

    def unstage(self, photo: str) -> None:
        """Nothing was staged."""

    def probe(self) -> None:
        """Connect; a message that means nothing would still be somebody's message.

        In TLS 1.3 a server judges our certificate only afterwards: see whether it hangs up.
        """
        try:
            with self._connected() as line:
                if self._tls is not None:
                    line.settimeout(_JUDGED_WITHIN)
                    with contextlib.suppress(TimeoutError):
                        if not line.recv(1):
                            raise ConnectionResetError(None, _HUNG_UP)
        except OSError as e:
            raise FilingError(f"{self.name} cannot be reached: {self._why(e)}") from e

    def close(self) -> None:
        """Each message has a connection of its own."""

    def file(self, record: Record) -> str:
        """Send the report, and return the control id that was acknowledged."""
        try:
            pdf = make_report(record, self._style)
        except ReportError as e:
            raise FilingError(str(e)) from e
        control = _control(record.key, "T02")
        taken = None if record.clock == "none" else record.captured_ms
        ward = f"{_text(record.bed)}"
        message = [
            self._header("T02", control),
            ("EVN", "T02", _time(self._clock())),
            _patient(record.assignment),
            _visit(record.assignment, ward),
            _document(record.key, taken, self._clock()),
            (
                "OBX",
                "1",
                "ED",
                "72170-4^Photographic image Unspecified body region Document^LN",
                "",
                f"WARDSEAL^application^pdf^Base64^{base64.b64encode(pdf).decode()}",
                *[""] * 5,
                "F",
                *[""] * 2,
                _time(taken),
            ),
            *_site(record.assignment),
        ]
        self._send(message, control)
        return f"{_REFERENCE}{control}"

    def read_back(self, record: Record, reference: str) -> None:
        """There is nothing to ask: see that it is this very message that was acknowledged."""
        if reference != f"{_REFERENCE}{_control(record.key, 'T02')}":
            raise FilingError(f"{self.name} acknowledged something else")

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Change the document's status: very restricted."""
        self._tell(filed, "T03", at_ms, {18: "V"})

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Cancel the document."""
        self._tell(filed, "T11", at_ms, {19: "CA"})

    def _tell(self, filed: Filed, event: str, at_ms: int, changed: dict[int, str]) -> None:
        control = _control(filed.key, event)
        taken = None if filed.clock == "none" else filed.captured_ms
        message = [
            self._header(event, control),
            ("EVN", event, _time(at_ms)),
            _patient(filed.assignment),
            _visit(filed.assignment, ""),
            _document(filed.key, taken, at_ms, changed),
        ]
        try:
            self._send(message, control)
        except Refused:
            # Perhaps it was never sent; then the receiver does not know what this is about.
            if filed.reference is not None:
                raise

    # -- MLLP -------------------------------------------------------------------------------------

    def _send(self, segments: Sequence[Sequence[str]], control: str) -> None:
        text = "".join("|".join(fields).rstrip("|") + "\r" for fields in segments)
        data = _START + text.encode() + _END
        try:
            with self._connected() as line:
                _say(line, data)
                answer = _block(line)
        except TimeoutError as e:
            raise FilingError(f"{self.name} did not answer in time") from e
        except OSError as e:
            raise FilingError(f"{self.name} cannot be reached: {self._why(e)}") from e
        self._judge(answer, control)

    def _why(self, error: OSError) -> str:
        hung_up = isinstance(error, ConnectionError | ssl.SSLEOFError)
        if self._tls is not None and hung_up and not isinstance(error, ConnectionRefusedError):
            # What a server does, too, that does not like our certificate and does not say so.
            return f"it hangs up; does it take the certificate of {self.name}.certificate?"
        if isinstance(error, ssl.SSLError):
            return tls.words(error, self._settings.host, self.name)
        return error.strerror or str(error)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        """A connection, by TLS where the settings say so. Raises OSError."""
        where = self._settings.host, self._settings.port
        with contextlib.ExitStack() as stack:
            line: socket.socket = stack.enter_context(
                socket.create_connection(where, self._settings.timeout_seconds)
            )
            if self._tls is not None:
                line = stack.enter_context(
                    self._tls.wrap_socket(line, server_hostname=self._settings.host)
                )
            yield line

    def _judge(self, answer: bytes, control: str) -> None:
        try:
            parsed = hl7.parse(answer.decode())
            msa = parsed.segment("MSA")
            code, about = str(msa(1)), str(msa(2))
        except (hl7.HL7Exception, ValueError, KeyError, IndexError, LookupError) as e:
            raise FilingError(f"{self.name} answered with something that is no HL7") from e
        if about != control:
            raise FilingError(f"{self.name} acknowledged another message")
        if code in _REFUSED:
            # Not in its own words (MSA-3, ERR): they could name a patient.
            raise Refused(f"{self.name} refused the message ({code})")
        if code not in _TAKEN:
            raise FilingError(f"{self.name} answered with something that is no acknowledgement")

    def _header(self, event: str, control: str) -> tuple[str, ...]:
        sending, receiving = self._settings.sending, self._settings.receiving
        return (
            "MSH",
            "^~\\&",
            *(_text(part) for part in (*sending, *receiving)),
            _time(self._clock()),
            "",
            f"MDM^{event}^MDM_T02" if event == "T02" else f"MDM^{event}^MDM_T01",
            control,
            "P",
            "2.5.1",
            *[""] * 5,
            "UNICODE UTF-8",
        )


def _say(line: socket.socket, data: bytes) -> None:
    """Send all of it; whoever breaks off may have said why (TLS 1.3 judges us only then)."""
    try:
        line.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        line.recv(1)
        raise


def _block(line: socket.socket) -> bytes:
    """Read one MLLP block. Raises OSError when it breaks off or has no end."""
    got = bytearray()
    while not got.endswith(_END):
        piece = line.recv(4096)
        if not piece or len(got) > _LONGEST_ANSWER:
            raise ConnectionResetError(None, "its answer breaks off")
        got += piece
    start = got.find(_START)
    if start < 0:
        raise ConnectionResetError(None, "its answer has no beginning")
    return bytes(got[start + 1 : -len(_END)])


def _control(key: str, event: str) -> str:
    """MSH-10, at most 20 characters: the same for the same message."""
    return hashlib.sha256(f"{key}/{event}".encode()).hexdigest()[:20].upper()


def _text(text: str) -> str:
    """One component: no delimiter in it delimits anything."""
    return plain(text).translate(_ESCAPED)


def _time(ms: int | None) -> str:
    """TS with its zone; empty where no time is known."""
    try:
        return (
            ""
            if ms is None
            else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y%m%d%H%M%S+0000")
        )
    except (ValueError, OverflowError, OSError):
        return ""


def _patient(assignment: Assignment) -> tuple[str, ...]:
    """PID; with no patient an identifier that says so, for PID-3 and PID-5 are required."""
    patient = assignment.patient
    if patient is None:
        return ("PID", "1", "", '""', "", '""')
    return (
        "PID",
        "1",
        "",
        f"{_text(patient.number)}^^^{_text(patient.authority)}^MR",
        "",
        f"{_text(patient.family)}^{_text(patient.given)}",
        "",
        _text(patient.born.replace("-", "")),
        _SEXES.get(patient.sex, "U"),
    )


def _visit(assignment: Assignment, ward: str) -> tuple[str, ...]:
    encounter = assignment.encounter
    number = ""
    if encounter is not None:
        number = f"{_text(encounter.number)}^^^{_text(encounter.authority)}^VN"
    return ("PV1", "1", "U", ward, *[""] * 15, number)


def _site(assignment: Assignment) -> list[tuple[str, ...]]:
    """What a person said about the picture: where it is (LOINC 39111-0), and a note."""
    said, site = [], assignment.site
    if site is not None:
        words = " ".join(part for part in (site.side, site.display) if part)
        value = f"{_text(site.code)}^{_text(words)}^SCT"
        said.append(("OBX", "2", "CE", "39111-0^Body site^LN", "", value, *[""] * 5, "F"))
    if assignment.note:
        said.append(("NTE", "1", "", _text(assignment.note)))
    return said


def _document(
    key: str, taken_ms: int | None, now_ms: int, changed: dict[int, str] | None = None
) -> tuple[str, ...]:
    """TXA: authenticated by the device's signature, restricted, available."""
    fields = {
        1: "1",
        2: "PHOTO",
        3: "AP",
        4: _time(taken_ms),
        6: _time(now_ms),
        12: f"{key}^WARDSEAL",
        17: "AU",
        18: "R",
        19: "AV",
        **(changed or {}),
    }
    return ("TXA", *(fields.get(number, "") for number in range(1, 20)))
