"""A hospital's ADT: sends HL7 v2 messages over MLLP, by the hl7 library's own client."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import hl7
import hl7.mllp

_ANSWERS_WITHIN: Final = 10.0


@dataclass(frozen=True)
class Admission:
    """Somebody in a bed. ``identifiers`` is PID-3, with the authority of each."""

    identifiers: tuple[tuple[str, str], ...]
    family: str
    given: str
    born: str
    sex: str
    encounter: str
    ward: str
    bed: str
    since: datetime

    def message(self, control: str) -> str:
        """A01: admitted to the bed at ``since`` (PV1-44)."""
        at = self.since.strftime("%Y%m%d%H%M%S%z")
        numbers = "~".join(f"{number}^^^{authority}" for number, authority in self.identifiers)
        stay = {2: "I", 3: f"{self.ward}^^{self.bed}", 19: self.encounter, 44: at}
        pv1 = "|".join(["PV1", *(stay.get(field, "") for field in range(1, 45))])
        lines = [
            f"MSH|^~\\&|ADT|DEMO|WARDSEAL||{at}||ADT^A01^ADT_A01|{control}|P|2.5",
            f"EVN|A01|{at}",
            f"PID|1||{numbers}||{self.family}^{self.given}||{self.born}|{self.sex}",
            pv1,
        ]
        return "\r".join(lines) + "\r"


def send(port: int, *texts: str, **options: object) -> list[hl7.Message]:
    """Send messages one after the other over one line; return the acknowledgements.

    ``options`` are those of asyncio.open_connection, such as ``ssl``.
    """

    async def go() -> list[hl7.Message]:
        reader, writer = await hl7.mllp.open_hl7_connection(
            "127.0.0.1", port, encoding="utf-8", **options
        )
        answers = []
        try:
            for each in texts:
                writer.writeblock(each.encode())
                await writer.drain()
                answers.append(await asyncio.wait_for(reader.readmessage(), _ANSWERS_WITHIN))
        finally:
            writer.close()
            await writer.wait_closed()
        return answers

    return asyncio.run(go())
