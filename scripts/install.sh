#!/bin/sh
# Make `.venv`: exactly what requirements.lock pins, hashes checked, and the project itself, editable; all of it compiled
# to bytecode, without which start-up takes three times as long. Does nothing, in a few milliseconds, when all that is so.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd -- "$root"

# Written last, so an interrupted install has none: inputs, place, then the installed packages.
stamp=.venv/installed-by-make

inputs() {
    cat pyproject.toml requirements.lock .python-version scripts/install.sh | cksum
    printf '%s\n' "$root"
}

# True if nothing changed since the stamp: not the inputs, nor the place (scripts in .venv hold its path), nor a pinned
# package (`uv run` installs what it resolves itself). Packages added by hand do not matter.
current() {
    [ -f "$stamp" ] && [ -x .venv/bin/python ] && [ -x .venv/bin/alkbayes ] || return 1
    [ "$(sed -n 1,2p "$stamp")" = "$(inputs)" ] || return 1
    # shellcheck disable=SC2046  # one word a package
    (cd .venv/lib/python3*/site-packages && ls -d $(sed 1,2d "$root/$stamp")) >/dev/null 2>&1
}

uv() { sh scripts/uv.sh "$@"; }

# A file that does not compile is for whoever imports it to report. uv could compile too, but not leave out the packages'
# own tests, a third of all files.
compile_packages() {
    .venv/bin/python -m compileall -qq -j 0 -x 'site-packages/.*/tests?/' .venv/lib/python3*/site-packages || true
}
compile_own() { .venv/bin/python -m compileall -qq alkbayes || true; }

new_environment() {
    rm -rf .venv
    # What .python-version asks for, on PATH or where pyenv keeps it; else another that the pinned packages support; else
    # let uv fetch the first.
    for version in "$(cat .python-version)" 3.12 3.14; do
        for python in "$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python; do
            uv venv --quiet --no-python-downloads --python "$python" .venv 2>/dev/null && return
        done
    done
    uv venv --quiet .venv || {
        echo 'No Python 3.12 or later was found, and uv could not fetch one: install Python 3.13 and run make again.' >&2
        exit 1
    }
}

if current; then
    if [ ! -d alkbayes/__pycache__ ] || [ -n "$(find alkbayes -name '*.py' -newer "$stamp" | head -n 1)" ]; then
        compile_own
        touch "$stamp"
    fi
    exit 0
fi

uv --version >/dev/null # fetches it where there is none
echo 'Installing into .venv what requirements.lock pins' >&2
if [ -f "$stamp" ] && [ -x .venv/bin/python ] && [ "$(sed -n 2p "$stamp")" = "$root" ]; then
    rm -f "$stamp"
else
    new_environment # also after an interrupted install, which may have left half a package behind
fi
uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
uv pip check --quiet --python .venv/bin/python >&2 || {
    echo 'requirements.lock does not satisfy pyproject.toml: run `make lock`.' >&2
    exit 1
}
compile_packages
compile_own
{
    inputs
    (cd .venv/lib/python3*/site-packages && ls -d ./*.dist-info)
} >"$stamp.new"
mv -f "$stamp.new" "$stamp"
