"""Exposure, white balance and focus of a libcamera camera: left to settle, then held.

A series of photos of one wound is only comparable when its light and colour do not wander, so
both are locked once they have settled, which is in the time between CONSENT and CAPTURE. A
nurse may still be on the way to the wound then: when the light on the sensor is no longer what
it was, they are let go, settle anew, and are locked again. Focus goes on following, where the
module has a lens that moves.

Pure: frames' metadata in, controls out, by libcamera's names and numbers (control_ids.yaml;
``AeState`` is from libcamera 0.5 on, ``AeLocked`` before).
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

_CONVERGED: Final = 2
_CONTINUOUS: Final = 2
_FULL_RANGE: Final = 2
_SCANNING: Final = 1

_STEADY: Final = 3
"""Frames in a row with equal gains: the camera's own steps are done by then."""
_EQUAL: Final = 0.02
_OTHER_LIGHT: Final = 1.4
"""Half a stop: what may change while a hand passes through the picture is less."""
_NOTICED: Final = 3

_AUTOMATIC: Final = {"AeEnable": True, "AwbEnable": True}


class Metering:
    """What one camera's metering does; ``controls``: the names of the controls it has."""

    def __init__(self, controls: Collection[str]) -> None:
        self._controls = frozenset(controls)
        self._gains: tuple[float, ...] = ()
        self._steady = 0
        self._elsewhere = 0
        self._lux = 0.0
        self._focused = False
        self.held = False

    @property
    def settled(self) -> bool:
        """Whether a photo can be taken that will not look different a moment later."""
        return self.held and self._focused

    def begin(self) -> dict[str, Any]:
        """Return the controls to start with."""
        return self._known({**_AUTOMATIC, "AfMode": _CONTINUOUS, "AfRange": _FULL_RANGE})

    def see(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Take in a frame's metadata; return what to set now, mostly nothing."""
        self._focused = "AfMode" not in self._controls or metadata.get("AfState") != _SCANNING
        if self.held:
            return self._let_go() if self._other_light(metadata) else {}
        self._follow(metadata)
        return self._hold(metadata) if self._steady >= _STEADY else {}

    def _follow(self, metadata: Mapping[str, Any]) -> None:
        gains = tuple(metadata.get("ColourGains", ()))
        exposed = metadata.get("AeState", _CONVERGED) == _CONVERGED and metadata.get(
            "AeLocked", True
        )
        near = len(gains) == len(self._gains) and all(
            abs(new - old) <= _EQUAL * old for new, old in zip(gains, self._gains, strict=True)
        )
        self._steady = self._steady + 1 if exposed and near else 0
        self._gains = gains

    def _hold(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        self.held = True
        self._lux = float(metadata.get("Lux", 0))
        self._elsewhere = 0
        found = ("ExposureTime", "AnalogueGain", "ColourGains")
        values = {name: metadata[name] for name in found if name in metadata}
        return self._known({"AeEnable": False, "AwbEnable": False, **values})

    def _let_go(self) -> dict[str, Any]:
        self.held = False
        self._steady, self._gains = 0, ()
        return self._known(_AUTOMATIC)

    def _other_light(self, metadata: Mapping[str, Any]) -> bool:
        lux = float(metadata.get("Lux", 0))
        if lux <= 0 or self._lux <= 0:
            return False
        apart = max(lux, self._lux) / min(lux, self._lux)
        self._elsewhere = self._elsewhere + 1 if apart > _OTHER_LIGHT else 0
        return self._elsewhere >= _NOTICED

    def _known(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if name in self._controls}
