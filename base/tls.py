"""Mutual TLS 1.3 for a client: who we are, whom we trust, and what went wrong in plain words.

Nothing older than TLS 1.3 is spoken, the server's certificate and host name are always checked,
and our own certificate is always shown. There is no setting to relax any of it. The files are
read anew for every connection, so that a renewed certificate is used from the next one on.

In TLS 1.3 the server judges the client's certificate *after* the client has finished its
handshake (RFC 8446, section 4.4), so a refusal of ours arrives as an alert on the first read.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from base.errors import ConfigError, WardsealError


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """PEM files of one identity; ``revoked`` is the authority's revocation list, if any."""

    ca: Path
    certificate: Path
    key: Path
    revoked: Path | None = None


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """The only TLS settings there are; ConfigError names the file that is missing or unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _readable("tls.ca", files.ca)
    _readable("tls.certificate", files.certificate)
    _readable("tls.key", files.key)
    try:
        context.load_verify_locations(files.ca)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError("tls.ca", f"{files.ca} holds no usable certificate") from error
    try:
        # The empty pass-phrase keeps OpenSSL from asking for one on a terminal nobody sits at.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            "tls.certificate",
            f"{files.certificate} and {files.key} are not a certificate and its unencrypted key",
        ) from error
    if files.revoked is not None:
        _readable("tls.revoked", files.revoked)
        try:
            context.load_verify_locations(files.revoked)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError("tls.revoked", f"{files.revoked} holds no revocation list") from error
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _readable(setting: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(setting, f"cannot read {path}: {error.strerror}") from error


# X509_V_ERR_* (OpenSSL, x509_vfy.h): what is wrong with the certificate the broker shows.
_THEIRS = {
    3: "no revocation list covers the certificate of {host}; check {settings}.revoked",
    9: "the certificate of {host} is not valid yet; check this machine's clock",
    10: "the certificate of {host} has expired; check this machine's clock, then the certificate",
    11: "the revocation list is not valid yet; check this machine's clock",
    12: "the revocation list in {settings}.revoked has expired; fetch a new one",
    18: "{host} signed its certificate itself; it is not from the authority in {settings}.ca",
    19: "the certificate of {host} is not from the authority in {settings}.ca",
    20: "the certificate of {host} is not from the authority in {settings}.ca",
    21: "the certificate of {host} is not from the authority in {settings}.ca",
    23: "the certificate of {host} has been revoked",
    26: "the certificate of {host} may not be used for a server",
    62: "the {peer}'s certificate carries another name than {host}",
    64: "the {peer}'s certificate carries another address than {host}",
}

# Alerts (RFC 8446, section 6.2) by OpenSSL's names: what the broker says is wrong with ours.
_OURS = {
    "TLSV1_ALERT_UNKNOWN_CA": "{host} does not know the authority of our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "{host} says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "{host} says that our certificate has been revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "{host} does not accept our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "{host} does not accept our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "{host} says our certificate is not for a client",
    "TLSV1_ALERT_DECRYPT_ERROR": "{host} says that our key does not fit our certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "{host} knows our certificate and denies access",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "{host} did not get a certificate from us",
    "TLSV1_ALERT_PROTOCOL_VERSION": "{host} does not speak {version}",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "{host} shares no {version} settings with us",
    "UNSUPPORTED_PROTOCOL": "{host} does not speak {version}",
    "WRONG_VERSION_NUMBER": "{host} does not speak TLS on this port",
    "RECORD_LAYER_FAILURE": "{host} does not speak TLS on this port",
}


def words(error: BaseException, host: str, settings: str = "tls") -> str:
    """One sentence, without a full stop, for whatever a connection attempt to ``host`` raised.

    ``settings`` is the table that names the files: ``tls`` is the broker's.
    """
    if isinstance(error, WardsealError):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return _tls_words(error, host, settings)
    if isinstance(error, ConnectionRefusedError):
        return f"nothing answers at {host} on this port"
    if isinstance(error, ConnectionError):
        return f"{host} ended the connection"
    if isinstance(error, TimeoutError):
        return f"{host} does not answer"
    if isinstance(error, OSError):
        return f"cannot reach {host}: {error.strerror or error}"
    return f"connecting to {host} failed: {error}"


def _tls_words(error: ssl.SSLError, host: str, settings: str) -> str:
    broker = settings == "tls"
    said = {
        "host": host,
        "settings": settings,
        "peer": "broker" if broker else "server",
        "version": "TLS 1.3" if broker else "TLS 1.2 or newer",
    }
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _THEIRS.get(error.verify_code)
        if known is not None:
            return known.format(**said)
        return f"the certificate of {host} was not accepted: {error.verify_message}"
    known = _OURS.get(error.reason or "")
    if known is None:
        return f"TLS with {host} failed: {error.reason or error}"
    ours = "our certificate" in known or "certificate from us" in known
    where = f"; see {settings}.certificate" if ours and not broker else ""
    return known.format(**said) + where
