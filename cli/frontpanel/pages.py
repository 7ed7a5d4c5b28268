"""What the page asks for and what it does, one function for each: reading by GET, doing by POST.

Doing is said in JSON (which no form of a foreign page can send) or is a picture's own bytes.
What cannot be done is answered with ``{"error": sentence}``.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from appliance.signals import Line
from base.errors import FormatError, WardsealError
from cli.frontpanel import gallery
from cli.frontpanel.bedside import Visitor
from cli.frontpanel.board import Board
from cli.frontpanel.gallery import Gallery
from cli.frontpanel.hospital import Hospital
from cli.frontpanel.plugs import Plugs

_STATIC: Final = Path(__file__).parent / "static"
_LONGEST_WISH: Final = 4096


class _Stream(StreamingResponse):
    """Events for one page. What they come from is closed as soon as the page has gone.

    Starlette leaves it to the garbage collector when the page goes in the middle of a sentence,
    and its finger would stay on a button until then.
    """

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


class Pages:
    """``site`` looks at what can be changed, and is asked after whatever may have done it."""

    def __init__(
        self,
        *,
        board: Board,
        visitor: Visitor,
        plugs: Plugs,
        pictures: Gallery,
        hospital: Hospital,
        site: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        self._board = board
        self._visitor = visitor
        self._plugs = plugs
        self._gallery = pictures
        self._hospital = hospital
        self._site = site

    def app(self) -> Starlette:
        """Return them as one application."""
        return Starlette(
            routes=[
                Route("/", _page),
                Mount("/static", StaticFiles(directory=_STATIC)),
                Route("/live", self._live),
                Route("/scenes/{name}", self._scene),
                Route("/props/{name}", self._prop),
                Route("/photos/{photo}", self._photo),
                Route("/photos/{photo}/small", self._small_photo),
                Route("/button", self._button, methods=["POST"]),
                Route("/plug", self._plug, methods=["POST"]),
                Route("/scene", self._point, methods=["POST"]),
                Route("/hold", self._hold, methods=["POST"]),
                Route("/picture", self._picture, methods=["POST"]),
            ],
            exception_handlers={WardsealError: _told},
        )

    # -- reading

    async def _live(self, request: Request) -> Response:
        return _Stream(self._board.read())

    async def _scene(self, request: Request) -> Response:
        small = await asyncio.to_thread(gallery.thumbnail, request.path_params["name"])
        return Response(small, media_type="image/jpeg")

    async def _prop(self, request: Request) -> Response:
        drawn = await asyncio.to_thread(self._gallery.picture_of, request.path_params["name"])
        return Response(drawn, media_type="image/png")

    async def _photo(self, request: Request) -> Response:
        path = await asyncio.to_thread(self._hospital.picture, request.path_params["photo"])
        return FileResponse(path, media_type="image/jpeg")

    async def _small_photo(self, request: Request) -> Response:
        small = await asyncio.to_thread(self._hospital.small, request.path_params["photo"])
        return Response(small, media_type="image/jpeg")

    # -- doing

    async def _button(self, request: Request) -> Response:
        match await _wish(request):
            case {"line": "consent" | "capture" as line, "down": bool(down)}:
                await self._visitor.move(Line(line), down=down)
            case _:
                raise FormatError('use {"line": "consent" or "capture", "down": true or false}')
        return Response(status_code=204)

    async def _plug(self, request: Request) -> Response:
        match await _wish(request):
            case {"name": "screen", "state": "works" | "fails" as state}:
                await self._visitor.set_screen(works=state == "works")
            case {"name": str(name), "state": str(state)}:
                await asyncio.to_thread(self._plugs.set, name, state)
            case _:
                raise FormatError('use {"name": a plug, "state": one of its states}')
        return await self._done()

    async def _point(self, request: Request) -> Response:
        match await _wish(request):
            case {"scene": str(scene)}:
                await asyncio.to_thread(self._gallery.point_at, scene)
            case _:
                raise FormatError('use {"scene": a scene}')
        return await self._done()

    async def _hold(self, request: Request) -> Response:
        match await _wish(request):
            case {"held": list(held)} if all(isinstance(name, str) for name in held):
                await asyncio.to_thread(self._gallery.hold, held)
            case _:
                raise FormatError('use {"held": [things to hold]}')
        return await self._done()

    async def _picture(self, request: Request) -> Response:
        data = await _body(request, gallery.LARGEST)
        source = request.query_params.get("source", "upload")
        await asyncio.to_thread(self._gallery.take_in, data, source)
        return await self._done()

    async def _done(self) -> Response:
        return JSONResponse(await self._site())


async def _page(_: Request) -> Response:
    return FileResponse(_STATIC / "page.html", media_type="text/html")


async def _told(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _wish(request: Request) -> Any:
    if request.headers.get("content-type") != "application/json":
        raise FormatError("say it in JSON (content-type: application/json)")
    try:
        return json.loads(await _body(request, _LONGEST_WISH))
    except (ValueError, RecursionError) as e:
        raise FormatError(f"this is not JSON: {e}") from e


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > limit:
            raise FormatError(f"this is too long: at most {limit:,} bytes")
    return bytes(data)
