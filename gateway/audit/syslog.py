"""The audit to a syslog server: RFC 5424 messages, over TLS (RFC 5425), UDP or a local socket.

Over TLS each batch has a connection of its own, and counts as told when the server has confirmed
its end (gateway.audit.confirmed). UDP and the local socket confirm nothing; a socket of this
machine at least fails when nobody is there.

Each message has its number in ``meta sequenceId`` (RFC 5424, 7.3.1): a number that comes twice was
told twice, after a crash or a lost answer, and one that is missing is missing.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from base import tls
from base.errors import WardsealError
from gateway.audit import confirmed, message
from gateway.audit.events import Event
from gateway.audit.settings import AuditSettings
from gateway.filing.web import tls_context

RECEIVER: Final = "syslog"
_FACILITY: Final = 10
_SEVERITIES: Final = {message.SUCCESS: 5, message.MINOR_FAILURE: 4}
_LARGEST_NUMBER: Final = 2**31 - 1


class NotTold(WardsealError):
    """The syslog server did not take the batch, or may not have."""


class Syslog:
    """One syslog server. ``source`` is who we are in it."""

    name = RECEIVER

    def __init__(self, settings: AuditSettings, *, source: str) -> None:
        self._settings = settings
        self._source = source
        self._host = socket.gethostname() or "-"
        self._tls = tls_context(settings) if settings.kind == "tls" else None

    def wants(self, event: Event) -> bool:
        """Everything."""
        return True

    def tell(self, events: Sequence[Event], first: int) -> None:
        """Send them. Raises NotTold."""
        lines = [self.line(event, first + at) for at, event in enumerate(events)]
        try:
            self._send(lines)
        except OSError as e:
            where = self._settings.host or self._settings.path
            raise NotTold(f"audit.syslog: {tls.words(e, where, 'audit')}") from e

    def probe(self) -> None:
        """Connect; nothing is told. Raises NotTold."""
        self.tell((), 1)

    def line(self, event: Event, number: int) -> bytes:
        """One message (RFC 5424). The time is when it happened, not when it is told."""
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        priority = _FACILITY * 8 + _SEVERITIES[message.outcome(event)]
        sequence = (number - 1) % _LARGEST_NUMBER + 1
        head = (
            f"<{priority}>1 {at.replace('+00:00', 'Z')} {self._host} wardseal {os.getpid()}"
            f' DICOM+RFC3881 [meta sequenceId="{sequence}"] '
        )
        return head.encode("ascii", "replace") + message.xml(
            event, source=self._source, host=self._host
        ).replace(b"\n", b"")

    # -- the ways there ---------------------------------------------------------------------------

    def _send(self, lines: Sequence[bytes]) -> None:
        settings = self._settings
        if self._tls is not None:
            self._by_tls(self._tls, lines)
        elif settings.kind == "udp":
            family, kind, _, _, address = socket.getaddrinfo(
                settings.host, settings.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind) as to:
                to.connect(address)
                for line in lines:
                    to.send(line)
        else:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.settimeout(settings.timeout_seconds)
                to.connect(settings.path)
                for line in lines:
                    to.send(line)

    def _by_tls(self, context: ssl.SSLContext, lines: Sequence[bytes]) -> None:
        settings = self._settings
        where = settings.host, settings.port
        frames = [b"%d %s" % (len(line), line) for line in lines]
        with socket.create_connection(where, settings.timeout_seconds) as to:
            try:
                confirmed.send(to, context, settings.host, frames)
            except confirmed.Unconfirmed as e:
                # What a server does, too, that does not like our certificate and does not say so.
                raise NotTold(
                    f"audit.syslog: {settings.host} hung up without closing TLS, so it may not"
                    " have read everything. Does it take the certificate of audit.certificate?"
                    " rsyslog needs the stream driver ossl"
                ) from e
