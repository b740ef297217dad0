#!/bin/sh
# Run a core of the tests with the lowest versions of the direct dependencies, in an environment of their own. What those
# need themselves is of the newest versions that fit. Arguments are passed on to pytest.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd -- "$root"
uv() { sh scripts/uv.sh "$@"; }
lowest=build/lowest

mkdir -p build
# The lowest Python too, where there is one: on PATH or where pyenv keeps it.
for python in 3.12 "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/3.12".*/bin/python 3.13; do
    uv venv --quiet --clear --no-python-downloads --python "$python" "$lowest" 2>/dev/null && break
done
uv pip compile --quiet --python "$lowest/bin/python" --resolution lowest-direct \
    --output-file "$lowest/requirements.txt" pyproject.toml
uv pip install --quiet --python "$lowest/bin/python" --requirements "$lowest/requirements.txt" \
    hypothesis pytest pytest-xdist
uv pip install --quiet --python "$lowest/bin/python" --no-deps --editable .
"$lowest/bin/python" --version
"$lowest/bin/python" -m pytest -n 2 --dist loadfile -m 'not slow' -q \
    tests/classical tests/cli/classical tests/cli/data tests/estimates tests/evidence tests/likelihood tests/model \
    tests/spec tests/text "$@"
