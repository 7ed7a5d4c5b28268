"""The pins: gpiozero on lgpio, named explicitly, or nothing.

Left to itself gpiozero looks for a pin library, and when lgpio does not load it goes on with
another one and a warning. On a device that takes consent by a button, a warning in a log is
not enough: the factory is named here, and every part asks ``checked`` before it uses one. The
simulated ward's factory is the only other one that passes; it refuses to exist on a
production image.
"""

import os
from pathlib import Path
from typing import Any, Final

from base import nodes
from base.errors import EnvironmentProblem

Factory = Any
"""A ``gpiozero.pins.Factory``; the package publishes no types."""

_LGPIO: Final = "gpiozero.pins.lgpio.LGPIOFactory"
_SIMULATED: Final = "gpiozero.pins.mock.MockFactory"


def open_lgpio(run: Path) -> Factory:
    """Return the factory for the real pins.

    ``run`` is a writable directory: lgpio keeps its notification pipes in its working
    directory, which on a read-only root must be named before it is imported. Raises
    EnvironmentProblem when the library, the chip or the permission is missing.
    """
    os.environ.setdefault("LG_WD", str(run))
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as e:
        raise EnvironmentProblem(
            "the package lgpio is missing, without which no button can be read:"
            " install python3-lgpio"
        ) from e
    except OSError as e:
        raise EnvironmentProblem(f"lgpio cannot write in {run}: {e}") from e
    try:
        return LGPIOFactory()
    except Exception as e:
        found = nodes.trouble("dev/gpiochip*", "the device needs a Raspberry Pi's pins")
        why = f"{found.says}. {found.mend}" if found else "does another program hold them?"
        raise EnvironmentProblem(f"the pins cannot be opened ({e}): {why}") from e


def checked(factory: Factory) -> Factory:
    """Return ``factory`` if it is lgpio's or the simulated ward's, else EnvironmentProblem."""
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(factory).__mro__]
    if _LGPIO not in kinds and _SIMULATED not in kinds:
        raise EnvironmentProblem(
            f"the pins are driven by {type(factory).__name__}; only lgpio is trusted with a"
            " consent button: set hardware.adapter"
        )
    return factory
