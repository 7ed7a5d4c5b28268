#!/usr/bin/env bash
# Refresh requirements.lock and requirements-dev.lock from pyproject.toml.
#
#   scripts/lock.sh             newer versions of everything
#   scripts/lock.sh --keep      only what pyproject.toml now asks for and the locks lack
#
# Needs uv (https://docs.astral.sh/uv/); installing from the locks needs pip alone. The locks name
# versions and hashes, never where to get them: each site's own pip settings decide that
# (docs/decisions/0002-locked-requirements-without-host-names.md).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

upgrade=--upgrade
case "${1-}" in
  --keep) upgrade= ;;
  "") ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
command -v uv >/dev/null || {
  echo "scripts/lock.sh: uv is not installed; see https://docs.astral.sh/uv/" >&2
  exit 1
}

compile() { # compile OUTPUT ARGUMENTS...
  local output=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --no-header ${upgrade:+"$upgrade"} \
    --output-file "$output" "$@" pyproject.toml
}

# The developers' lock first, then the runtime's held to it: what is tested is what is shipped.
compile requirements-dev.lock --extra simulator --extra hospital --group dev
compile requirements.lock --extra simulator --extra hospital --constraint requirements-dev.lock

if grep -nE '://|^-' requirements.lock requirements-dev.lock; then
  echo "scripts/lock.sh: the lines above name a host or an option; a lock must not" >&2
  exit 1
fi
echo "requirements.lock: $(grep -c == requirements.lock) packages," \
  "requirements-dev.lock: $(grep -c == requirements-dev.lock)"
