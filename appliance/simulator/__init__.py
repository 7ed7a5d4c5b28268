"""A whole virtual device, part by part; no part of it runs on a production image."""

from pathlib import Path

from base.errors import EnvironmentProblem


def refuse_production(marker: Path, part: str) -> None:
    """Raise EnvironmentProblem when ``marker`` exists; ``part`` names what was to be simulated."""
    if marker.exists():
        raise EnvironmentProblem(
            f"{part} is only simulated, and this is a production image ({marker} exists)."
            " Set camera.adapter and hardware.adapter to the real parts"
        )
