#!/usr/bin/env bash
# Draft the next step of the gateway's database from what has changed in its models.
#
#   scripts/migration.sh "what changes, in words"
#
# Writes gateway/migrations/versions/NNNN_….py; read it, make it right for rows that exist, and
# commit it with the models. A test compares the steps with the models on both databases.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -eq 1 ] || {
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 2
}
PYTHONPATH=. .venv/bin/python -P scripts/migration.py "$1"
sed -i "/^    # ### /d; s/, schema=None//; s/batch_op/table/g" gateway/migrations/versions/0*.py
.venv/bin/ruff check --quiet --fix gateway/migrations
.venv/bin/ruff format --quiet gateway/migrations
git status --short gateway/migrations
