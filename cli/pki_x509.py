"""X.509 for the broker connection: one authority, and a certificate for each name.

These certificates only open the door to the broker. What is sealed or signed has keys of its own.
The common name is the client id and the user name in one, so it is checked to be a name the topics
allow: a device's ``[a-z0-9-]{1,32}``; a hospital user's name holds a ``_``, so it is never one.
Keys are P-256: every broker in use takes them, and TPMs can hold them.
"""

import datetime
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from base.errors import ConfigError

Kind = Literal["server", "device", "hospital"]

_NAMES: dict[Kind, tuple[str, str]] = {
    "server": (r"[A-Za-z0-9.:-]{1,64}", "a host name or address"),
    "device": (r"[a-z0-9-]{1,32}", "1 to 32 of a-z, 0-9 and -"),
    "hospital": (r"(?=.*_)[a-z0-9_-]{1,64}", "letters, digits, - and at least one _"),
}
# A device without a clock battery may lag behind the authority by a little.
_BACKDATED = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make_ca(
    name: str = "Wardseal broker CA", *, days: float = 3650, now: datetime.datetime | None = None
) -> Identity:
    """Make a self-signed authority that may sign certificates and revocation lists only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, subject, key, days, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Identity(builder.sign(key, hashes.SHA256()), key)


def issue(
    ca: Identity,
    common_name: str,
    *,
    kind: Kind,
    days: float = 365,
    san: Sequence[str] = (),
    now: datetime.datetime | None = None,
) -> Identity:
    """Issue a certificate for one name; ``san`` are further host names or addresses.

    ``server`` may only be a server, ``device`` and ``hospital`` only a client. ``days`` may be
    negative: it is then expired from the start, as tests of expiry need it.
    """
    pattern, allowed = _NAMES[kind]
    if not re.fullmatch(pattern, common_name):
        raise ConfigError(f"{kind} name", f"{common_name!r} is not {allowed}")
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = (
        ExtendedKeyUsageOID.SERVER_AUTH if kind == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
    )
    builder = _builder(_name(common_name), ca.certificate.subject, key, days, now)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False
    )
    # `_` is not allowed in a host name (RFC 1123), and a hospital user is none.
    names = [*san] if kind == "hospital" else [common_name, *san]
    if names:
        alternatives = x509.SubjectAlternativeName([_alternative(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    return Identity(builder.sign(ca.key, hashes.SHA256()), key)


def revocation_list(
    ca: Identity,
    revoked: Sequence[x509.Certificate],
    *,
    days: float = 30,
    now: datetime.datetime | None = None,
) -> bytes:
    """Return the authority's PEM revocation list that names these certificates."""
    moment = now or datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(moment - _BACKDATED)
        .next_update(moment + datetime.timedelta(days=days))
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(moment - _BACKDATED)
            .build()
        )
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: float,
    now: datetime.datetime | None,
) -> x509.CertificateBuilder:
    moment = now or datetime.datetime.now(datetime.UTC)
    end = moment + datetime.timedelta(days=days)
    start = min(moment, end - datetime.timedelta(days=1) if days < 0 else moment) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
