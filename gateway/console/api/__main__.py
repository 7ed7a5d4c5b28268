"""Writes the API's description: ``python -m gateway.console.api > docs/api/openapi.json``."""

import sys

from gateway.console.api.app import text

if __name__ == "__main__":
    sys.stdout.write(text())
