"""Whether a device is online, as it said itself last.

The broker delivers a will late: the device may be back already. So an "offline" only counts for
the very connection that is known, and a birth of the same boot must have a higher session.
"""

from collections.abc import Callable

from gateway.devices import Registry
from gateway.store import Store
from gateway.tables import Presence
from wire.messages import State


class Presences:
    """The last word of every device; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, registry: Registry, clock: Callable[[], int]) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock

    def heard(self, device: str, said: State) -> bool:
        """Take in one state message; True if it changed anything. Raises NotAdmitted."""
        self._registry.admit(device)
        boot = said.boot.hex()
        with self._store.begin() as session:
            known = session.get(Presence, device, with_for_update=True)
            same_boot = known is not None and known.boot == boot
            if known is not None and same_boot and said.session < known.session:
                return False
            if not said.online and not same_boot:
                return False
            unchanged = known is not None and same_boot and known.online == said.online
            if known is not None and unchanged and known.session == said.session:
                return False
            session.merge(
                Presence(
                    device=device,
                    online=said.online,
                    boot=boot,
                    session=said.session,
                    at_ms=self._clock(),
                )
            )
        return True
