"""Every byte of the emulated device's memory, looked through for what is left of a photo."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from base.keyfiles import read_secret
from cli.virtual_site import VirtualSite
from tests.image.guest.wardseal_yuv import yuv420
from tests.image.scene import HEIGHT, WIDTH, rgb
from tests.journey.at_hospital import Hospital
from tests.residue.known_secrets import entropy_coded, of_envelope
from tests.residue.scanner import Findings, ScanError, Scanner
from wire import envelope
from wire.hpke import RecipientPrivate

_PAGE = 4096
_PIECE = 16 * 1024 * 1024
_OVERLAP = 4096
"""A key may lie across two pieces."""


def of_frame(scene: int) -> dict[str, bytes]:
    """A frame in every form that it takes before it is a JPEG."""
    frame = rgb(scene)
    return {
        "frame as it leaves the camera": frame.tobytes(),
        "frame as it is encoded": yuv420(frame, WIDTH, HEIGHT).tobytes(),
        "small frame": yuv420(frame, WIDTH, HEIGHT, 2).tobytes(),
    }


def of_photo(site: VirtualSite, photo: bytes) -> dict[str, bytes]:
    """The JPEG, the content key and everything that HPKE made on its way to it."""
    hospital = Hospital(site)
    sealed, filed = hospital.sealed_copy(photo), hospital.filed(photo)
    assert sealed is not None and filed is not None
    keys = [
        RecipientPrivate.decode(read_secret(path, "key"))
        for path in (site.pki.gateway / "opening.key", site.pki.offline / "recovery.key")
    ]
    secrets, _ = of_envelope(envelope.parse(sealed), keys)
    return {"JPEG": entropy_coded(filed.jpeg.read_bytes()), **secrets}


def look_through(memory: Path, secrets: dict[str, bytes]) -> Findings:
    """Look through a machine's whole memory; ``memory`` is the file that it is.

    Pages of zeros are left out: no secret has eight of them in a row. A scan that does not find
    the kernel's own version, which is in there for certain, is an error.
    """
    scanner = Scanner(secrets)
    large = [name for name, secret in secrets.items() if len(secret) > 1000]
    assert all(scanner.share(name) > 0.9 for name in large)
    findings = Findings()
    seen = False
    for piece in _pieces(memory):
        seen = seen or b"Linux version 6." in piece
        found = scanner.data(piece)
        findings.windows.update(found.windows)
        findings.places += found.places[:20]
        findings.bytes_read += found.bytes_read
    if not seen:
        raise ScanError(f"not even the kernel's name was seen in {memory}")
    return findings


def _pieces(memory: Path) -> Iterator[bytes]:
    with (
        memory.open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as whole,
    ):
        for at in range(0, len(whole), _PIECE):
            piece = whole[at : at + _PIECE + _OVERLAP]
            pages = np.frombuffer(piece, dtype=np.uint64).reshape(-1, _PAGE // 8)
            used = pages[pages.any(axis=1)]
            if len(used):
                # Neighbours stay neighbours; pages that were apart meet, which hides nothing.
                yield used.tobytes()
