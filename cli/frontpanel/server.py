"""Serves the page from a thread of the demo, for as long as the virtual site runs."""

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import uvicorn

from appliance.simulator import refuse_production
from appliance.simulator.remote import View
from cli.frontpanel.bedside import Visitor, as_json
from cli.frontpanel.board import Board
from cli.frontpanel.gallery import Gallery
from cli.frontpanel.guard import Guard
from cli.frontpanel.hospital import Hospital
from cli.frontpanel.pages import Pages
from cli.frontpanel.plugs import Plugs
from cli.virtual_site import VirtualSite

_LOOKS_EVERY: Final = 0.5


class FrontPanel:
    """One page for ``site``; a context manager. ``url`` is the address to open, with its token.

    ``held`` names the things (``props``) that are in the camera's view at first.
    """

    def __init__(self, site: VirtualSite, held: Sequence[str] = ()) -> None:
        paths = site.device.config.paths
        refuse_production(paths.production, "The front panel")
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = int(self._socket.getsockname()[1])
        token = secrets.token_urlsafe(16)
        self.url = f"http://127.0.0.1:{port}/{token}/"
        self._board = Board(self._let_go)
        self._visitor = Visitor(paths.world_socket, self._seen)
        self._site: dict[str, Any] = {}
        self._plugs = Plugs(site)
        self._gallery = Gallery(site, held)
        self._hospital = Hospital(site)
        pages = Pages(
            board=self._board,
            visitor=self._visitor,
            plugs=self._plugs,
            pictures=self._gallery,
            hospital=self._hospital,
            site=self._look_at_site,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                Guard(pages.app(), port=port, token=token),
                log_config=None,
                access_log=False,  # the token is in every path
                server_header=False,
                lifespan="off",
                ws="none",
                http="h11",
                timeout_graceful_shutdown=2,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="front panel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has come to its end by itself
                self._loop.call_soon_threadsafe(self._board.close)
        self._thread.join()
        self._socket.close()
        self._hospital.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        watching = [asyncio.create_task(self._visitor.run()), asyncio.create_task(self._look())]
        await self._server.serve(sockets=[self._socket])
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    # -- what is to be seen

    def _seen(self, view: View) -> None:
        self._board.show("device", as_json(view))

    async def _look(self) -> None:
        while True:
            if self._board.is_watched:
                await self._look_at_site()
                self._board.show("hospital", await asyncio.to_thread(self._hospital.look))
            await asyncio.sleep(_LOOKS_EVERY)

    async def _look_at_site(self) -> dict[str, Any]:
        """Put up, and return, what can be changed on the page; ``version`` tells new from old."""
        states: dict[str, Any] = await asyncio.to_thread(self._plugs.states)
        plugs = {**states, "screen": "works" if self._visitor.view.screen else "fails"}
        site = {"plugs": plugs, **self._gallery.state()}
        if {**site, "version": self._site.get("version")} != self._site:
            self._site = {**site, "version": self._site.get("version", 0) + 1}
            self._board.show("site", self._site)
        return self._site

    def _let_go(self) -> None:
        """A page that goes away takes its fingers with it."""
        errand = asyncio.ensure_future(self._visitor.let_go())
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
