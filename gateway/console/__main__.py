"""Builds the console and serves it.

``python -m gateway.console --config FILE`` is what the unit calls. uvicorn does HTTP and TLS.
The console needs no key of the gateway's, and gets none.
"""

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from base.errors import ConfigError, EnvironmentProblem, WardsealError
from base.memory import harden_process
from gateway import logs
from gateway.console import config as configuration
from gateway.console.app import build
from gateway.database import engine_for
from gateway.store import Store


def run(config_file: Path) -> int:
    """Run the console until SIGTERM; return its exit code. Raises WardsealError."""
    config = configuration.load(config_file)
    logs.begin("console")
    harden_process()
    os.umask(0o077)
    store = Store(engine_for(config.store.url, config.paths.state / "gateway.db"))
    web = config.web
    try:
        app = build(config, store)
    except OSError as e:
        store.close()
        raise EnvironmentProblem(
            f"{e.filename or 'the console'}: {e.strerror or e} (as the console's user)"
        ) from e
    try:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=web.host,
                port=web.port,
                ssl_certfile=web.certificate,
                ssl_keyfile=web.key,
                access_log=False,  # paths name photos; who saw what stands in the audit
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        server.run()
    except OSError as e:
        raise ConfigError("web.certificate", f"cannot be used: {e.strerror or e}") from e
    finally:
        store.close()
    return 0 if server.started else 1


def main(argv: list[str] | None = None) -> int:
    """``python -m gateway.console --config FILE``: what the unit calls."""
    parser = argparse.ArgumentParser(prog="python -m gateway.console", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the console's TOML file")
    options = parser.parse_args(argv)
    try:
        return run(options.config)
    except WardsealError as e:
        sys.stderr.write(f"wardseal console: {e}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
