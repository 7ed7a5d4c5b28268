"""The record systems that the settings name, and which of them FILED waits for."""

from contextlib import ExitStack
from dataclasses import dataclass

from gateway.config import GatewayConfig
from gateway.filing.base import Sink
from gateway.filing.folder import Folder


@dataclass(frozen=True)
class Sinks:
    """``required``: a photo is FILED when all of these have it; ``later``: the others."""

    required: tuple[Sink, ...]
    later: tuple[Sink, ...]

    @classmethod
    def open(cls, config: GatewayConfig, stack: ExitStack) -> "Sinks":
        """Make every sink; ``stack`` closes them. Raises ConfigError."""
        required: list[Sink] = [Folder(config.filing.folder)]
        later: list[Sink] = []
        for sink in (*required, *later):
            stack.callback(sink.close)
        return cls(tuple(required), tuple(later))
