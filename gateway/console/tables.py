"""What the console itself remembers: who is signed in, and who looked at what.

Viewings are never deleted by the console; they answer "who looked at this photo?".
"""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store import HASH, Base


class SignedIn(Base):
    """A session. ``token`` is SHA-256 of what the browser holds, so that a copy opens nothing."""

    __tablename__ = "console_sessions"

    token: Mapped[str] = mapped_column(HASH, primary_key=True)
    login: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[str] = mapped_column(String(100))
    csrf: Mapped[str] = mapped_column(HASH)
    begun_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)


class Viewing(Base):
    """Somebody looked at something: ``what`` is a word of ``gateway.console.audit``.

    ``note``: why, where a reason was needed.
    """

    __tablename__ = "viewings"
    __table_args__ = (Index("viewings_by_subject", "subject"), Index("viewings_by_time", "at_ms"))

    id: Mapped[int] = mapped_column(primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    login: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(24))
    subject: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(String(1000), default="")
