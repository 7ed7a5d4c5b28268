"""What the console itself remembers: who is signed in, and who looked at what."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.audit.tables import Viewing as Viewing  # noqa: PLC0414  # it is the console's, too
from gateway.tables import HASH, Base


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
