"""A darkroom as one would write it at first: Pillow, ``bytes``, ``del``. Kept to be caught.

It takes the same orders, sees the same camera and seals to the same keys as the real one; the
envelopes are good ones. What it leaves behind in memory is why the real one is built as it is,
and a scanner that finds nothing here would be no scanner.
"""

import gc
import io
import os
import socket
import sys
from pathlib import Path

from PIL import Image

from appliance.camera import Camera
from appliance.config import load
from appliance.darkroom import camera_of
from appliance.frame import Frame
from appliance.orders import Capture, Idle, Line, Open, Ready, Sealed, Verdict
from base.notify import Notifier
from wire import envelope, keyset, signing
from wire.envelope import Header, Private
from wire.hpke import RecipientPublic


class NaiveDarkroom:
    """One consent's life, without any of the checks."""

    def __init__(self, camera: Camera, line: Line, sealing: Path) -> None:
        self._camera = camera
        self._line = line
        self._sealing = sealing
        self._recipients: tuple[RecipientPublic, ...] = ()
        self._key = b""

    def live(self) -> None:
        """Carry out orders until the panel hangs up."""
        self._camera.prepare()
        Notifier().send(READY=1)
        self._line.send(Idle(os.getpid()))
        while True:
            match self._line.receive():
                case Open(keyset=raw):
                    self._recipients = _recipients(raw)
                    self._camera.open()
                    self._line.send(Ready(0))
                case Capture(header=fields):
                    self._capture(fields)
                case _:
                    self._camera.close()
                    return

    def _capture(self, fields: dict[str, object]) -> None:
        with self._camera.capture(30) as frame:
            jpeg = _encode(frame)
        content = envelope.content_prefix(Private("W3-12", {"poor": []}), len(jpeg)) + jpeg
        header = Header(**fields, length=len(content))  # type: ignore[arg-type]
        self._key = os.urandom(32)
        out = bytearray(envelope.room(len(content)))
        size = envelope.seal_into(
            memoryview(out),
            header=header,
            plaintext=memoryview(content),
            key=self._key,
            recipients=self._recipients,
        )
        name = f"{header.seq}.cose"
        (self._sealing / name).write_bytes(out[:size])
        del jpeg, content, out
        gc.collect()
        self._line.send(Verdict(header.seq, (), {}))
        self._line.send(Sealed(header.seq, name, size, {}))


def _encode(frame: Frame) -> bytes:
    whole = (frame.width, frame.height)
    half = (frame.width // 2, frame.height // 2)
    channels = []
    for plane, stride, size in zip(frame.planes, frame.strides, (whole, half, half), strict=True):
        raw = bytes(plane)
        channels.append(Image.frombytes("L", size, raw, "raw", "L", stride, 1).resize(whole))
    file = io.BytesIO()
    Image.merge("YCbCr", channels).save(file, "JPEG", quality=92)
    return file.getvalue()


def _recipients(raw: bytes) -> tuple[RecipientPublic, ...]:
    """Take whatever recipients the keyset names."""
    _, untrusted_keyset = signing.untrusted(raw, typ=keyset.TYP_KEYSET)
    keys = untrusted_keyset["recipients"]
    assert isinstance(keys, list)
    return tuple(RecipientPublic.decode(key) for key in keys)


if __name__ == "__main__":
    config = load(Path(sys.argv[1]))
    connection = socket.socket(fileno=0)
    NaiveDarkroom(camera_of(config), Line(connection), config.paths.sealing).live()
