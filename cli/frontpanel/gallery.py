"""What can be put in front of the simulated camera: shipped photographs, pictures from the
browser, and things to hold into the view.

A picture that comes from the browser is decoded here, turned upright and stored anew as plain
pixels, in the site's RAM; what else was in its file goes no further.
"""

import io
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from appliance.simulator.world import SCENES
from base.durable import write_atomic
from base.errors import FormatError
from cli.frontpanel.props import LABEL, PROPS, prop
from cli.virtual_site import VirtualSite

LARGEST: Final = 32 * 1024 * 1024
_MOST_PIXELS: Final = 64_000_000
_SENSOR: Final = (4056, 3040)
_SMALL: Final = (320, 240)
_LONGEST_SHAPE: Final = 8
_LIES_AT: Final = (0.62, 0.3)
_LIES_WIDE: Final = 0.22
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_FROM_BROWSER: Final = ("upload", "webcam")


class Gallery:
    """Puts things in front of the camera of ``site``; may be called from any thread."""

    def __init__(self, site: VirtualSite, held: Sequence[str] = ()) -> None:
        self._world = site.world
        self._folder = site.device.config.paths.world.parent
        self._lock = threading.Lock()
        self._held = list(held)
        self._stored: list[Path] = []
        self._source = ""

    def state(self) -> dict[str, Any]:
        """What can be shown, and what is."""
        scene = self._world.world.scene
        now = scene if scene in _shipped() else self._source or "file"
        return {
            "scene": now,
            "scenes": _shipped(),
            "file": Path(scene).name,
            "held": list(self._held),
            "props": {name: each.title for name, each in PROPS.items()},
        }

    def point_at(self, scene: str) -> None:
        """Show one of the shipped photographs; FormatError when it is none."""
        if scene not in _shipped():
            raise FormatError(f"there is no scene {scene!r}")
        with self._lock:
            self._world.point_at(scene)

    def hold(self, names: list[str]) -> None:
        """Hold these things into the view, or lay them down, and no others; FormatError."""
        found = {name: prop(name) for name in names}
        with self._lock:
            drawn = {name: each.draw(self._folder) for name, each in found.items()}
            self._world.hold(*[path for name, path in drawn.items() if not found[name].lies])
            self._world.clear_away()
            for name, path in drawn.items():
                if found[name].lies:
                    self._world.lay(path, x=_LIES_AT[0], y=_LIES_AT[1], width=_LIES_WIDE)
            self._held = list(found)

    def picture_of(self, name: str) -> bytes:
        """Return a thing to hold as a PNG; FormatError when there is none of that name."""
        return prop(name).draw(self._folder).read_bytes()

    def take_in(self, data: bytes, source: str) -> None:
        """Show a picture that came from the browser; FormatError says why it cannot be shown."""
        if source not in _FROM_BROWSER:
            raise FormatError(f"pictures come from {' or '.join(_FROM_BROWSER)}")
        pixels = _plain_pixels(data)
        with self._lock:
            path = self._folder / f"{source}-{len(self._stored)}.jpg"
            write_atomic(path, pixels, durable=False)
            self._world.point_at(path)
            self._source = source
            self._stored.append(path)
            # The one before stays: the camera may be about to open it.
            for old in self._stored[:-2]:
                old.unlink(missing_ok=True)


def thumbnail(scene: str) -> bytes:
    """Return a shipped photograph as a small JPEG."""
    if scene not in _shipped():
        raise FormatError(f"there is no scene {scene!r}")
    return _thumbnail(scene)


@lru_cache(16)
def _thumbnail(scene: str) -> bytes:
    with Image.open(SCENES / scene) as file:
        return _jpeg(ImageOps.fit(file.convert("RGB"), _SMALL))


def _shipped() -> list[str]:
    pictures = (p.name for p in SCENES.iterdir() if p.suffix in (".jpg", ".png"))
    return sorted(name for name in pictures if name != LABEL)


def _plain_pixels(data: bytes) -> bytes:
    """Return a picture as a JPEG of nothing but its pixels, no larger than the sensor."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            wide, high = file.size
            if wide * high > _MOST_PIXELS:
                raise FormatError(f"this picture has {wide} x {high} pixels; 64 million are enough")
            if max(wide, high) > _LONGEST_SHAPE * min(wide, high):
                raise FormatError(f"this picture is {wide} x {high}: too long and thin to be shown")
            file.draft("RGB", _SENSOR)
            upright = ImageOps.exif_transpose(file)
            upright.thumbnail(_SENSOR)
            return _jpeg(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise FormatError("this is not a picture that can be shown: use JPEG, PNG or WebP") from e


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    return out.getvalue()
