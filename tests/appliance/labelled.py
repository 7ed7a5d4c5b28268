"""Frames of full size with a label at a known place, scale, tilt and blur, and what is true."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from appliance.frame import Frame, Layout
from appliance.simulator import scene
from appliance.simulator.world import SCENES, Laid
from base.memory import Buffer
from cli.label_sheet import Wanted, png
from wire import label_layout
from wire.label import Code

FULL = Layout.padded(4056, 3040)
FOCAL = 0.95 * FULL.width


@dataclass(frozen=True)
class Seen:
    """One label in one photograph."""

    photograph: str
    laid: Laid
    layout: label_layout.Layout = label_layout.LARGE
    blur: float = 0
    noise: float = 4
    seed: int = 0

    @property
    def marker_pixels(self) -> float:
        return self.laid.width * FULL.width * self.layout.marker.side / self.layout.width

    @property
    def nm_per_px(self) -> tuple[float, float]:
        """The truth at the marker's middle: along the tilt's axis, and across it."""
        flat = self.layout.width / (self.laid.width * FULL.width) * 1e6
        aside = self.layout.marker.middle[0] - self.layout.width / 2
        tilt = radians(self.laid.tilted)
        depth = 1 + aside / self.layout.width * self.laid.width * FULL.width * sin(tilt) / FOCAL
        return flat * depth, flat * depth**2 / cos(tilt)

    @contextmanager
    def frame(self) -> Iterator[Frame]:
        """The frame, as a camera hands it over."""
        shown = scene.load(
            SCENES / self.photograph, FULL, laid=[(self.laid, Path(self.laid.picture))]
        )
        with Buffer(FULL.size) as buffer:
            shown.expose(buffer.view, FULL)
            if self.blur:
                self._blur(shown, buffer)
            shown.close()
            with Frame(buffer.view[:], FULL) as frame:
                yield frame

    def _blur(self, shown: scene.Scene, buffer: Buffer) -> None:
        """The luma out of focus; the noise comes after the lens."""
        assert isinstance(shown, scene.PhotoScene)
        size = FULL.stride * FULL.height
        sharp = np.frombuffer(shown._base.view[:size], dtype=np.uint8).reshape(-1, FULL.stride)
        soft = Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(self.blur))
        random = np.random.default_rng(self.seed)
        levels = np.asarray(soft) + random.normal(0, self.noise, sharp.shape).astype(np.float32)
        luma = np.frombuffer(buffer.view[:size], dtype=np.uint8)
        luma[:] = np.clip(np.rint(levels), 0, 255).astype(np.uint8).reshape(-1)


def print_label(
    folder: Path, words: str = "W2 HEEL L", layout: label_layout.Layout = label_layout.LARGE
) -> Path:
    """A label as `wardseal labels` prints it."""
    path = folder / f"{words}-{layout.tag}.png"
    path.write_bytes(png(layout, Wanted(Code.of(words)), "en", 16))
    return path
