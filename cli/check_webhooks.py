"""The doctor at the webhooks: secrets that sign, and receivers that have been told everything."""

from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from base.errors import WardsealError
from cli.findings import Finding, broken, ok
from gateway.config import GatewayConfig
from gateway.database import engine_for
from gateway.webhooks import signing
from gateway.webhooks.outbox import Hook, hooks_of


def look(config: GatewayConfig) -> list[Finding]:
    """Each receiver by its name, and those that no setting names any more."""
    hooks = {hook.name: hook for hook in _hooks(config)}
    found = []
    for settings in config.webhook:
        try:
            signing.keys_in(settings.secret, f"{settings.name}.secret")
        except WardsealError as e:
            found.append(broken(f"webhook {settings.name}", str(e)))
            continue
        found.append(_stand(settings.name, hooks.get(settings.name)))
    names = {settings.name for settings in config.webhook}
    for hook in hooks.values():
        if hook.waiting and hook.name not in names:
            says = f"{_waiting(hook)}, and no [[webhook]] has this name"
            found.append(broken(f"webhook {hook.name}", says, "name it again, or let them go"))
    return found


def _stand(name: str, hook: Hook | None) -> Finding:
    what = f"webhook {name}"
    if hook is None or not hook.waiting:
        return ok(what, "has been told everything")
    if not hook.problem:
        return ok(what, f"{_waiting(hook)}; to be sent soon")
    return broken(what, f"{_waiting(hook)}: {hook.problem}", "they are sent when it takes them")


def _waiting(hook: Hook) -> str:
    since = datetime.fromtimestamp((hook.oldest_ms or 0) / 1000, UTC)
    count = "1 event waits" if hook.waiting == 1 else f"{hook.waiting} events wait"
    return f"{count} since {since:%Y-%m-%d %H:%M} UTC"


def _hooks(config: GatewayConfig) -> list[Hook]:
    """What the database knows; it may be none, or older, before the first start."""
    if not config.store.url and not config.paths.database.exists():
        return []
    engine = engine_for(config.store.url, config.paths.database)
    try:
        with Session(engine.execution_options(reading=True)) as session:
            return hooks_of(session)
    except SQLAlchemyError:
        return []  # the database's own line says what is wrong with it
    finally:
        engine.dispose()
