"""All tables there are: every room that has some is loaded here."""

# Loading them puts their tables into Base.metadata.
import gateway.audit.tables
import gateway.console.api.tokens
import gateway.console.tables
import gateway.identity.tables
import gateway.keyring.keyset_uses
import gateway.objections
import gateway.retention
import gateway.reviews
import gateway.sharing.copies
import gateway.sharing.shares
import gateway.sites
import gateway.webhooks.outbox  # noqa: F401
from gateway.tables import Base

METADATA = Base.metadata
