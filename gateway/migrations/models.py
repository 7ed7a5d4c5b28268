"""All tables there are: every room that has some is loaded here."""

import gateway.console.tables  # noqa: F401  (loading it puts its tables into Base.metadata)
from gateway.store import Base

METADATA = Base.metadata
