#!/usr/bin/env bash
# Sets up what the scripts in tests/models need: a Python environment of their own. Running it again takes a moment.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup_lib.sh

ENVIRONMENT=.tools/random-models
REQUIREMENTS=tests/models/requirements.txt

has python3 || need_debian_packages "Python" python3 python3-venv
if ! cmp -s "$REQUIREMENTS" "$ENVIRONMENT/requirements.txt"; then
  say "installing the Python packages of $REQUIREMENTS into $ENVIRONMENT"
  python3 -m venv "$ENVIRONMENT" || need_debian_packages "Python's venv" python3-venv
  "$ENVIRONMENT/bin/python" -m pip install --quiet --requirement "$REQUIREMENTS"
  cp "$REQUIREMENTS" "$ENVIRONMENT/requirements.txt"
fi
