"""Which keyset each device has in force: what its own signed ledger says.

A device enters every keyset that it takes, before it seals a photo to it. Epochs only rise, so
the highest that the hospital has read is in force, or was: the device has it or a later one.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.tables import NAME, Base, LedgerEntry
from wire import shapes
from wire.events import KeysetInUse
from wire.ledger import TYP_ENTRY, EntryType
from wire.signing import untrusted


class GatewayEpoch(Base):
    """A gateway: the newest epoch that it has keys of, and the newest that it announced."""

    __tablename__ = "gateway_epochs"

    gateway: Mapped[str] = mapped_column(NAME, primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    announced: Mapped[int] = mapped_column(BigInteger, default=0)
    seen_ms: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Epochs:
    """``given``: the newest epoch that devices are told of; ``has``: each device's, by name."""

    given: int
    has: dict[str, int]


def epochs(session: Session) -> Epochs:
    """Return who has which keyset."""
    given = session.scalar(select(func.max(GatewayEpoch.announced))) or 0
    return Epochs(given, epochs_in_force(session))


def epochs_in_force(session: Session, device: str | None = None) -> dict[str, int]:
    """Return the highest epoch on each device's ledgers, or on one's alone.

    A device that named none is not there.

    The entries were verified when they were chained.
    """
    query = (
        select(LedgerEntry.device, LedgerEntry.raw)
        .where(LedgerEntry.type == EntryType.KEYSET.value)
        .where(LedgerEntry.chained.is_(True))
    )
    if device is not None:
        query = query.where(LedgerEntry.device == device)
    found: dict[str, int] = {}
    for name, raw in session.execute(query):
        _, entry = untrusted(raw, typ=TYP_ENTRY)
        body = shapes.from_map(KeysetInUse, entry.get("body"), "KEYSET body")
        found[name] = max(found.get(name, 0), body.epoch)
    return found
