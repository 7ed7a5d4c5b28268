"""The line from the hospital's ADT: MLLP, one message after the other, each answered.

    AA   it is in the database, for good (or of no use here)
    AE   it cannot be used as it is; the text names the field
    AR   it is no ADT message
    AE   also when the database did not take it: the sender tries again

An answer repeats the control id, so the sender knows what it is for. A message is in the database
before it is answered, so what was not answered may be sent again. No log line names a patient.
"""

import asyncio
import logging
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import hl7.mllp

from base.errors import ConfigError, FormatError, WardsealError
from gateway.complaints import Complaints
from gateway.identity import adt
from gateway.identity.adt import Adt, Heading
from gateway.identity.feed import Feed

log = logging.getLogger(__name__)

_STARTS_WITHIN: Final = 10.0
_SILENCE_SECONDS: Final = 3600.0
_MOST_LINES: Final = 16
_UNKNOWN: Final = Heading("", "", "", "", "2.5")


@dataclass(frozen=True)
class LineFiles:
    """TLS for the line: our certificate and key, and the authority of those who may connect."""

    certificate: Path
    key: Path
    ca: Path


class AdtLine:
    """Listens on ``host`` and ``port`` (0: any that is free) on a thread of its own."""

    def __init__(
        self, *, host: str, port: int, reader: Adt, feed: Feed, tls: LineFiles | None, encoding: str
    ) -> None:
        self._host = host
        self._wanted = port
        self._reader = reader
        self._feed = feed
        self._tls = None if tls is None else _context(tls)
        self._encoding = encoding
        self._complaints = Complaints(log)
        self._numbers = count(1)
        self._lines: dict[asyncio.Task[None], hl7.mllp.HL7StreamWriter] = {}
        self._thread = threading.Thread(target=self._run, name="adt", daemon=True)
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self.port = 0

    def start(self) -> None:
        """Begin to listen. Raises ConfigError."""
        self._thread.start()
        self._ready.wait(_STARTS_WITHIN)
        if self._failed is not None:
            self._thread.join()
            why = self._failed.strerror or self._failed
            raise ConfigError("adt.port", f"{self._host}:{self._wanted} cannot be used: {why}")

    def stop(self) -> None:
        """Close every line, after the message at hand."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as e:
            self._failed = e
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        server = await hl7.mllp.start_hl7_server(
            self._connected, self._host, self._wanted, limit=adt.LARGEST, ssl=self._tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        for door in server.sockets:
            self._loop.remove_reader(door)  # nobody else is let in
        for _ in ("accepted", "connected"):
            await asyncio.sleep(0)  # a server that closes in between forgets a socket
        server.close()
        for line, writer in self._lines.items():
            line.cancel()
            writer.transport.abort()  # also that of a line whose first step never came

    def _connected(
        self, reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter
    ) -> None:
        if self._over.is_set():
            writer.transport.abort()
            return
        if len(self._lines) >= _MOST_LINES:
            self._complaints.about("adt", "too many lines at a time; one was refused")
            writer.close()
            return
        line = self._loop.create_task(self._line(reader, writer))
        self._lines[line] = writer
        line.add_done_callback(self._lines.pop)

    async def _line(
        self, reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter
    ) -> None:
        peer = str(writer.get_extra_info("peername", ("?",))[0])
        try:
            while True:
                block = await asyncio.wait_for(reader.readblock(), _SILENCE_SECONDS)
                writer.writeblock(self._answer(peer, block))
                await writer.drain()
        except (ValueError, hl7.mllp.InvalidBlockError):
            self._complaints.about(peer, "what it sent is no MLLP, or too long; the line is closed")
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            pass  # the sender hung up, or has nothing to say; it connects again
        finally:
            writer.close()

    def _answer(self, peer: str, block: bytes) -> bytes:
        """Take one message in and return its acknowledgement."""
        heading = _UNKNOWN
        try:
            message = adt.parse(block, self._encoding)
            heading = adt.heading_of(message)
            told = self._reader.read(message)
            if told is not None:
                self._feed.take(told)
            return self._say(heading, "AA", "")
        except FormatError as e:
            code = "AR" if str(e).startswith("MSH-9") else "AE"
            self._complaints.about(peer, f"ADT {heading.event or '?'} not used: {e}")
            return self._say(heading, code, str(e))
        except WardsealError as e:
            log.error("ADT %s: not stored: %s", heading.event, e)
            return self._say(heading, "AE", "not stored; send it again")

    def _say(self, to: Heading, code: str, why: str) -> bytes:
        """HL7 v2.8 chapter 2, 2.14.1: MSH and MSA, and ERR with the reason in words."""
        now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
        words = (to.application, to.facility, to.control, to.event)
        application, facility, control, event = (_escape(word) for word in words)
        version = _escape(to.version)
        heading = f"MSH|^~\\&|WARDSEAL||{application}|{facility}|{now}"
        lines = [
            f"{heading}||ACK^{event}^ACK|{next(self._numbers)}|P|{version}",
            f"MSA|{code}|{control}",
        ]
        if why:
            lines.append(f"ERR||||E||||{_escape(why)}")
        return ("\r".join(lines) + "\r").encode(self._encoding, "replace")


def _escape(text: str) -> str:
    """Keep a value from being taken for a delimiter (HL7 v2.8, 2.7)."""
    named = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    return "".join(named.get(c, c) for c in text[:200])


def _context(files: LineFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # interface engines are older than we are
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.ca)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError("adt.certificate", f"TLS files cannot be used: {e}") from e
    return context
