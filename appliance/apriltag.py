"""AprilTags in a camera's frame, by libapriltag (C interface of version 3), where the frame lies.

The detector looks at every n-th pixel of every n-th row to find quadrangles, then moves their
edges to where the full-size picture has them, which gives corners to a tenth of a pixel, and
reads the code there. The frame is read in its own memory; the thinned copy is the library's, on
the heap, where the allocator overwrites it (``base.memory``).

Of the family 36h11 (which OpenCV's ArUco module knows as ``DICT_APRILTAG_36h11``) only the first
few codes are looked for: ten of their 36 bits would have to be wrong for one to pass for
another, and a texture in a photograph never has been taken for one (docs/decisions/0012).
"""

import ctypes
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

from base.errors import EnvironmentProblem

LIBRARY: Final = "libapriltag.so.3"

_CORRECTED_BITS: Final = 1
_LEAST_CONTRAST: Final = 60
"""Levels between black and white within 16 thinned pixels: far above sensor noise, whose every
speck would otherwise be followed, ten times as slowly. Print in any usable light has 100."""
_LEAST_CLUSTER: Final = 12
"""Thinned pixels along an edge; below, there is nothing that could be read."""

_DEFAULTS: Final = (1, 2.0, 0.0, True, 0.25, False, 5, 10, 5)
"""What version 3 of the library puts where we look: a struct of other shape shows by it."""

Point = tuple[float, float]


class _Image(ctypes.Structure):
    _fields_ = (
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("pixels", ctypes.c_void_p),
    )


class _Thresholds(ctypes.Structure):
    _fields_ = (
        ("min_cluster_pixels", ctypes.c_int),
        ("max_nmaxima", ctypes.c_int),
        ("critical_rad", ctypes.c_float),
        ("cos_critical_rad", ctypes.c_float),
        ("max_line_fit_mse", ctypes.c_float),
        ("min_white_black_diff", ctypes.c_int),
        ("deglitch", ctypes.c_int),
    )


class _Detector(ctypes.Structure):
    """The part of ``apriltag_detector_t`` that users may set."""

    _fields_ = (
        ("nthreads", ctypes.c_int),
        ("quad_decimate", ctypes.c_float),
        ("quad_sigma", ctypes.c_float),
        ("refine_edges", ctypes.c_bool),
        ("decode_sharpening", ctypes.c_double),
        ("debug", ctypes.c_bool),
        ("qtp", _Thresholds),
    )


class _Detection(ctypes.Structure):
    _fields_ = (
        ("family", ctypes.c_void_p),
        ("id", ctypes.c_int),
        ("hamming", ctypes.c_int),
        ("decision_margin", ctypes.c_float),
        ("homography", ctypes.c_void_p),
        ("centre", ctypes.c_double * 2),
        ("corners", (ctypes.c_double * 2) * 4),
    )


class _Array(ctypes.Structure):
    _fields_ = (
        ("element", ctypes.c_size_t),
        ("size", ctypes.c_int),
        ("room", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.POINTER(_Detection))),
    )


@dataclass(frozen=True)
class Tag:
    """A tag that was found; ``corners`` of its black square, in pixels from the frame's corner.

    They run clockwise from the upper left one of the tag as it is printed.
    """

    id: int
    corners: tuple[Point, Point, Point, Point]


@cache
def library() -> ctypes.CDLL:
    """Load the library; EnvironmentProblem when it is missing."""
    try:
        found = ctypes.CDLL(LIBRARY)
    except OSError as e:
        raise EnvironmentProblem(
            f"{LIBRARY} is missing; install it: apt-get install libapriltag3"
        ) from e
    detector, pointer = ctypes.POINTER(_Detector), ctypes.c_void_p
    for name, result, arguments in (
        ("tag36h11_create", ctypes.POINTER(ctypes.c_uint32), []),
        ("tag36h11_destroy", None, [pointer]),
        ("apriltag_detector_create", detector, []),
        ("apriltag_detector_destroy", None, [detector]),
        ("apriltag_detector_add_family_bits", None, [detector, pointer, ctypes.c_int]),
        (
            "apriltag_detector_detect",
            ctypes.POINTER(_Array),
            [detector, ctypes.POINTER(_Image)],
        ),
        ("apriltag_detections_destroy", None, [pointer]),
    ):
        function: Any = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class Detector:
    """Finds tags 0 to ``codes`` - 1. For one thread at a time."""

    def __init__(self, codes: int, *, thin_out: int) -> None:
        self._library = library()
        self._family = self._library.tag36h11_create()
        # The number of codes is the family's first field; the others are not looked for.
        self._family[0] = min(codes, self._family[0])
        self._detector = self._library.apriltag_detector_create()
        settings = self._detector.contents
        limits = settings.qtp
        found = (
            settings.nthreads,
            settings.quad_decimate,
            settings.quad_sigma,
            settings.refine_edges,
            settings.decode_sharpening,
            settings.debug,
            limits.min_cluster_pixels,
            limits.max_nmaxima,
            limits.min_white_black_diff,
        )
        if found != _DEFAULTS:
            raise EnvironmentProblem(f"{LIBRARY} is not of a version this program knows")
        settings.quad_decimate = thin_out
        limits.min_cluster_pixels = _LEAST_CLUSTER
        limits.min_white_black_diff = _LEAST_CONTRAST
        self._library.apriltag_detector_add_family_bits(
            self._detector, self._family, _CORRECTED_BITS
        )

    def find(self, luma: memoryview, *, width: int, height: int, stride: int) -> list[Tag]:
        """Return the tags in a luma plane, which must be writable but is only read."""
        if luma.nbytes < stride * (height - 1) + width or stride < width:
            raise ValueError("the plane is shorter than the picture")
        held = ctypes.c_char.from_buffer(luma)
        image = _Image(width, height, stride, ctypes.addressof(held))
        found = self._library.apriltag_detector_detect(self._detector, ctypes.byref(image))
        array = found.contents
        tags = [_tag(array.data[i].contents) for i in range(array.size)]
        self._library.apriltag_detections_destroy(found)
        return tags

    def close(self) -> None:
        """Free the detector; later calls do nothing."""
        detector, self._detector = self._detector, None
        if detector:
            self._library.apriltag_detector_destroy(detector)
            self._library.tag36h11_destroy(self._family)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _tag(found: Any) -> Tag:
    # The library goes anticlockwise from the lower left.
    lower_left, lower_right, upper_right, upper_left = ((x, y) for x, y in found.corners)
    return Tag(found.id, (upper_left, upper_right, lower_right, lower_left))
