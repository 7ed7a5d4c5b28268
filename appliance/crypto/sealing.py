"""From frame to sealed envelope: steps 4 to 6 of a photo's journey, without a copy to spare.

    camera's buffer --encode--> plaintext buffer --encrypt--> sealing/<n>.cose

The JPEG is encoded into the plaintext buffer some way from its start, so that what stands
before it in the content (the private header, known only after the verdict) fits in front. The
plaintext is encrypted straight into the mapped file. Plaintext, content key and frame are
zeroed before anything else happens, whatever became of the photo.

Two more threads help while libjpeg-turbo works without Python's lock: one encodes the lower
half of the frame (appliance.crypto.bands), one finds the verdict and reads the label. The frame
is zeroed while the JPEG is encrypted.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance import quality
from appliance.crypto.bands import BandedEncoder, done
from appliance.crypto.slot import NoRoom, Slot
from appliance.frame import Frame
from appliance.label import LabelReader
from appliance.sightings import NOTHING, Inside
from base.memory import Buffer, Lock, fill_random
from wire import envelope, shapes
from wire.envelope import Header, Private
from wire.hpke import RecipientPublic
from wire.label import Label

_FRONT: Final = 8192
"""Room for the private header (at most 4 KiB) before the JPEG, in whole pages."""


@dataclass(frozen=True)
class SealedPhoto:
    """A photo that lies sealed in the directory ``sealing`` under ``name``.

    ``stages_us``: microseconds for encode (with verdict and label, should those take longer),
    seal (content and keys), store (the name) and wipe; beside the encoder, verdict and label.
    """

    name: str
    size: int
    stages_us: dict[str, int]


@dataclass(frozen=True)
class _Seen:
    """What was found out about a frame while it was encoded."""

    verdict: quality.Verdict
    label: Label | None
    stages_us: dict[str, int]


class Sealer:
    """Everything that can be got ready before the first frame, for one window.

    ``sealing``: the directory, on a tmpfs; ``recipients``: the hospital's keys; ``alg``: the
    content encryption (``wire.envelope``); ``bed``: as configured, for the private header;
    ``usual_size``: bytes of an envelope that room is kept for before the first photo; later
    ones are expected to be little larger than the last. ``thresholds``: from when on a photo
    is poor.

    Raises NoRoom when not even the first one has room.
    """

    def __init__(
        self,
        *,
        sealing: Path,
        width: int,
        height: int,
        jpeg_quality: int,
        recipients: Sequence[RecipientPublic],
        bed: str,
        usual_size: int,
        alg: int = envelope.AES_256_GCM,
        thresholds: quality.Thresholds | None = None,
    ) -> None:
        self._thresholds = thresholds or quality.Thresholds()
        self._sealing = sealing
        self._recipients = tuple(recipients)
        self._bed = bed
        self._expected = usual_size
        self._alg = alg
        self._slot: Slot | None = Slot(sealing, usual_size)
        self._spent: Slot | None = None
        self._encoder = BandedEncoder(width, height, jpeg_quality)
        self._labels = LabelReader()
        self._plain = Buffer(_FRONT + self._encoder.room, lock=Lock.WANTED)
        self._plain.wipe(_FRONT)
        # A JPEG that is larger takes its other pages as it goes.
        self._encoder.get_ready(self._plain.view[_FRONT:], usual_size)
        self._key = Buffer(envelope.KEY_LENGTH, lock=Lock.REQUIRED)
        self._helpers = ThreadPoolExecutor(2, thread_name_prefix="sealing")

    @property
    def plaintext_is_locked(self) -> bool:
        """Whether the JPEG is kept out of swap; the key always is."""
        return self._plain.locked

    def make_room(self) -> None:
        """Get ready for the next photo, if there is room; ``seal`` asks again if there was not."""
        self._clear_away()
        if self._slot is None:
            with suppress(NoRoom):
                self._slot = Slot(self._sealing, self._expected)

    def seal(
        self,
        frame: Frame,
        header: Header,
        on_verdict: Callable[[quality.Verdict], None],
        inside: Inside = NOTHING,
    ) -> SealedPhoto:
        """Seal ``frame`` as photo ``header.seq`` and zero it; ``header.length`` is set here.

        ``inside``: the band and badge that go into the private header.
        ``on_verdict`` is called, from another thread, as soon as there is one. Raises NoRoom or
        EncodeError; then the photo is lost and no file is left of it.
        """
        begun = time.perf_counter_ns()
        used = self._plain.size
        wiping: Future[None] | None = None
        try:
            slot = self._take_slot()
            length, seen = self._encode(frame, on_verdict)
            used = _FRONT + length
            wiping = self._helpers.submit(frame.wipe)
            encoded = time.perf_counter_ns()
            size = self._encrypt(slot, header, seen, inside, length)
            sealed = time.perf_counter_ns()
            path = slot.commit(f"{header.seq}.cose", size)
            stored = time.perf_counter_ns()
        except BaseException:
            self._clear_away()
            raise
        finally:
            self._key.wipe()
            self._plain.wipe(used)
            if wiping is None:
                frame.wipe()
            else:
                done(wiping, frame.wipe)
        stages = {
            **seen.stages_us,
            "encode": (encoded - begun) // 1000,
            "seal": (sealed - encoded) // 1000,
            "store": (stored - sealed) // 1000,
            "wipe": (time.perf_counter_ns() - stored) // 1000,
        }
        self._expected = size + size // 4
        return SealedPhoto(path.name, size, stages)

    def _take_slot(self) -> Slot:
        self._clear_away()
        self._spent = self._slot or Slot(self._sealing, self._expected)
        self._slot = None
        return self._spent

    def _clear_away(self) -> None:
        """Let go of the last photo's mapping, which would take a millisecond of its time."""
        if self._spent is not None:
            self._spent.close()
            self._spent = None

    def _encode(
        self, frame: Frame, on_verdict: Callable[[quality.Verdict], None]
    ) -> tuple[int, _Seen]:
        """Return the JPEG's length; it stands in the plaintext buffer from ``_FRONT`` on."""

        def look() -> _Seen:
            begun = time.perf_counter_ns()
            verdict = quality.judge(
                frame.luma,
                width=frame.width,
                height=frame.height,
                stride=frame.strides[0],
                thresholds=self._thresholds,
            )
            judged = time.perf_counter_ns()
            on_verdict(verdict)
            label = self._labels.read(frame)
            stages = {
                "verdict": (judged - begun) // 1000,
                "label": (time.perf_counter_ns() - judged) // 1000,
            }
            return _Seen(verdict, label, stages)

        looking = self._helpers.submit(look)
        try:
            length = self._encoder.encode(frame, self._plain.view[_FRONT:], self._helpers)
        finally:
            seen = done(looking, look)
        return length, seen

    def _encrypt(self, slot: Slot, header: Header, seen: _Seen, inside: Inside, length: int) -> int:
        """Complete the content, encrypt it into ``slot`` with a fresh key; return the size."""
        private = Private(
            bed=self._bed,
            quality={**seen.verdict.measured, "poor": list(seen.verdict.poor)},
            band=inside.band,
            bands=inside.bands,
            badge=inside.badge,
            salt=inside.salt,
            label=None if seen.label is None else shapes.to_map(seen.label),
        )
        prefix = envelope.content_prefix(private, length)
        start = _FRONT - len(prefix)
        self._plain.view[start:_FRONT] = prefix
        plaintext = self._plain.view[start : _FRONT + length]
        fill_random(self._key.view)
        with slot.view(envelope.room(len(plaintext))) as out:
            return envelope.seal_into(
                out,
                header=replace(header, length=len(plaintext)),
                plaintext=plaintext,
                key=self._key.view,
                recipients=self._recipients,
                alg=self._alg,
            )

    def close(self) -> None:
        """Wipe and free everything; no later use."""
        self._helpers.shutdown()
        self._encoder.close()
        self._labels.close()
        self._plain.close()
        self._key.close()
        self._clear_away()
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
