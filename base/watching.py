"""One descriptor at a time on somebody else's selector."""

import selectors


class Watch:
    """Keeps at most one descriptor registered, with ``data`` as the key's data.

    ``fd`` is the descriptor watched now, -1 for none. A connection may change its descriptor from
    one step to the next; the old one may be closed already when it is let go.
    """

    def __init__(self, data: object) -> None:
        self.fd = -1
        self._data = data
        self._selector: selectors.BaseSelector | None = None

    def use(self, selector: selectors.BaseSelector) -> None:
        """Register on this selector from now on."""
        self._selector = selector

    def watch(self, fd: int, mask: int) -> None:
        """Be told when ``fd`` is ready as ``mask`` says."""
        assert self._selector is not None, "register() comes before start()"
        if fd != self.fd:
            self.leave()
            self._selector.register(fd, mask, self._data)
            self.fd = fd
        elif self._selector.get_key(fd).events != mask:
            self._selector.modify(fd, mask, self._data)

    def leave(self) -> None:
        """Watch nothing."""
        if self.fd != -1 and self._selector is not None:
            self._selector.unregister(self.fd)
        self.fd = -1
