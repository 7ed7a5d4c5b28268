"""A photo that may be used for teaching: agreed to in person at that level, attested by a badge."""

from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from wire import events
from wire.attestation import commitment
from wire.envelope import Private
from wire.events import Basis, Level

BADGE = "N-17"


def teach(hospital: Hospital, device: Device) -> Photo:
    """Take it and have it filed."""
    salt = bytes(range(32))
    device.consent()
    wording = events.Wording("W1", "en", bytes(32))
    consent = device.write(events.Consent(Level.TEACHING, Basis.AGREED, wording))
    badge = commitment(salt, BADGE)
    device.write(events.Attest(consent.digest, badge))
    intent = device.write(events.Intent(consent.digest, Level.TEACHING, Basis.AGREED, badge))
    private = Private(bed="W3-12", quality={"sharp": 80}, badge=BADGE, salt=salt)
    photo = device.photo(jpeg(64, 48, seed=99), consent=consent, intent=intent, private=private)
    hospital.sync(device, device.batch())
    assert hospital.receive(device, photo).status == "FILED"
    return photo
