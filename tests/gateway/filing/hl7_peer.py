"""A receiver of HL7 v2 over MLLP, made of the hl7 library's server, in a thread of its own."""

import asyncio
import ssl
import threading

import hl7
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


class Receiver:
    """Keeps what it gets. ``answers``: how the next messages are answered, AA when none is left.

    Besides codes: ``silence``, ``garbage``, ``lost`` (the line ends before the acknowledgement),
    ``another`` (the acknowledgement of another message) and ``held`` (AE, after ``let_go``).
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.messages: list[hl7.Message] = []
        self.answers: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._let_go = asyncio.Event()
        self._writers: list[HL7StreamWriter] = []
        server = await start_hl7_server(
            self._hear, host="127.0.0.1", port=0, limit=2**24, encoding="utf-8", ssl=self._tls
        )
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        for door in server.sockets:
            self._loop.remove_reader(door)
        for _ in ("accepted", "connected", "heard"):
            await asyncio.sleep(0)
        server.close()
        for writer in self._writers:
            writer.transport.abort()  # a line that its sender keeps open, too

    async def _hear(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                self.messages.append(message)
                answer = self.answers.pop(0) if self.answers else "AA"
                if answer == "silence":
                    await self._over.wait()
                elif answer == "held":
                    await self._let_go.wait()
                    writer.writemessage(message.create_ack("AE"))
                elif answer == "garbage":
                    writer.writeblock(b"nothing of the kind")
                elif answer == "another":
                    ack = str(message.create_ack("AA"))
                    writer.writeblock(ack.replace(message["MSH.F10"], "X1").encode())
                elif answer != "lost":
                    writer.writemessage(message.create_ack(answer))
                if answer == "lost":
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self._let_go.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
