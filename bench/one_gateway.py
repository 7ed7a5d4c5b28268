"""One gateway that is handed photos and says what they took: the other half of ``bench.filing``.

    python -m bench.one_gateway FOLDER DEVICE

It is the gateway as it runs at a hospital, with everything but the broker: what a device would
send comes from files (``Sent``), what the gateway answers is heard here. On standard input it is
told numbers of photos in JSON, one batch a line; when all of a batch are signed for and have their
reports it says in JSON how many seconds that took, and of the processor, with those of every
decoder and typesetter. It wants the allocator settings of ``base.memory``, as the gateway does.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from base.memory import assert_allocator
from tests.gateway.bedside import Photo
from tests.gateway.hospital import Hospital
from wire import cbor, messages, topics
from wire.hpke import SuiteName
from wire.messages import Ready, Signed, Status

UNDER_WAY: Final = 3
"""Photos that a ward's devices send at once."""

SETTINGS: Final = "settings.json"
_PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True)
class Sent:
    """A photo as a device sends it: ``init`` and then the rest, each message encoded."""

    photo: bytes
    init: bytes
    rest: tuple[bytes, ...]

    @classmethod
    def of(cls, photo: Photo) -> Self:
        """Take the messages of a sealed photo, in chunks as devices send them."""
        last = (*photo.chunks(messages.CHUNK), messages.Fin(photo.id))
        init = messages.encode(photo.init(messages.CHUNK))
        return cls(photo.id, init, tuple(messages.encode(one) for one in last))

    def write(self, path: Path) -> None:
        """Put it into a file."""
        path.write_bytes(cbor.encode([self.photo, self.init, list(self.rest)]))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what ``write`` has put there."""
        found: Any = cbor.decode(path.read_bytes(), limit=1 << 30, what="what was sent")
        photo, init, rest = found
        return cls(photo, init, tuple(rest))


class OneGateway:
    """A hospital's gateway, and the ear of the one device that sends to it."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder = folder
        self._device = device
        settings = json.loads((folder / SETTINGS).read_text())
        self._reports = settings["filing"]["report"] != "none"
        self._hospital = Hospital(folder, settings=settings, suite=SuiteName.HYBRID).open()

    def file(self, numbers: list[int]) -> dict[str, float]:
        """File these photos, a few at a time; return seconds, by name."""
        photos = [Sent.read(self._folder / "sent" / str(number)) for number in numbers]
        hospital, self._before = self._hospital, len(self._hospital.sent)
        begun, used = time.perf_counter(), processor_seconds()
        for at, sent in enumerate(photos):
            self._until(lambda: len(self._said(Signed)) > at - UNDER_WAY, "a receipt")  # noqa: B023
            hospital.hear_raw(topics.up(self._device, "up/any"), sent.init)
            self._until(lambda: sent.photo in self._said(Ready), "leave to send")  # noqa: B023
            for message in sent.rest:
                hospital.hear_raw(topics.up(self._device, f"up/{hospital.name}"), message)
        self._until(lambda: len(self._said(Signed)) == len(photos), "every receipt")
        filed = time.perf_counter()
        if self._reports:
            self._until(lambda: all(map(self._reported, photos)), "every report")
        done, processor = time.perf_counter(), processor_seconds()
        statuses = {hospital.read(said).status for said in self._said(Signed).values()}
        assert statuses == {Status.FILED}, statuses
        return {"filed": filed - begun, "done": done - begun, "processor": processor - used}

    def _until(self, come: Callable[[], bool], what: str) -> None:
        self._hospital.until(come, _PATIENCE_SECONDS, what)

    def _said(self, kind: type[Ready | Signed]) -> dict[bytes, Any]:
        """What was said in this batch, by photo."""
        said: list[Any] = [one for _, one in self._hospital.sent[self._before :]]
        return {one.photo: one for one in said if type(one) is kind}

    def _reported(self, sent: Sent) -> bool:
        return any(self._hospital.record.glob(f"*/{sent.photo.hex()}.pdf"))


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def main() -> None:
    """File batch after batch, until there is nothing more on standard input."""
    assert_allocator(os.environ)
    gateway = OneGateway(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        print(json.dumps(gateway.file(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
