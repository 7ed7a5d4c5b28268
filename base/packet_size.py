"""How large a packet may be with a broker that does not say.

Under MQTT 5 a broker states its limit when it greets. Under 3.1.1 it cannot: it just hangs up on
what is too large, and a client that sends the same again never gets anywhere. So when a broker
hangs up while a size was on its way that it has never acknowledged, half of that is the limit
for a day. It is a guess: wrong, it costs some speed; right, it is the difference between a
photo that arrives in small pieces and one that never does.
"""

SMALLEST_PACKET = 20 * 1024
"""A broker that takes less is of no use: a chunk of 16 KiB must fit."""

_DAY = 24 * 3600.0


class Ceiling:
    """The largest packet in bytes, ``largest`` until there is a reason for less."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._bytes = largest
        self._until: float | None = None

    def at(self, now: float) -> int:
        """The limit at ``now`` (seconds)."""
        if self._until is not None and now >= self._until:
            self._bytes, self._until = self._largest, None
        return self._bytes

    def suspect(self, size: int, *, proven: int, now: float) -> None:
        """Hear that a broker hung up with ``size`` on its way, having taken ``proven`` before."""
        if size > max(proven, SMALLEST_PACKET):
            self._bytes = max(SMALLEST_PACKET, size // 2)
            self._until = now + _DAY
