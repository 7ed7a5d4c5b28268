"""What the emulated camera sees, byte for byte: kernel/scene.h in Python."""

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 960, 720
"""vimc delivers multiples of six."""


def rgb(scene: int) -> NDArray[np.uint8]:
    """One frame as it leaves the camera: three bytes a pixel."""
    noise = np.arange(WIDTH * HEIGHT * 3 // 4, dtype=np.uint32) * np.uint32(0x9E3779B1)
    noise += np.uint32(scene * 0x9E3779B9 & 0xFFFFFFFF)
    noise ^= noise >> np.uint32(15)
    noise *= np.uint32(0x85EBCA6B)
    noise ^= noise >> np.uint32(13)
    words: NDArray[np.uint32] = (noise & np.uint32(0x1F1F1F1F)) + np.uint32(0x70707070)
    return words.view(np.uint8)
