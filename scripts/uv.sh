#!/bin/sh
# Run uv with the arguments given: the uv on PATH, else one kept in `.uv/`, else one fetched there with whatever
# Python 3 there is. Nothing outside the project's folder is changed; all messages go to stderr.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
wanted='uv>=0.8,<1'

usable() {
    version=$("$1" --version 2>/dev/null) || return 1
    case $version in
        'uv 0.'[0-7].*) return 1 ;;
        'uv '*) return 0 ;;
        *) return 1 ;;
    esac
}

# $1: a Python; $2: a folder to start it in. True if it runs and is Python 3.6 or later.
is_python() {
    (cd -- "$2" && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 6))') >/dev/null 2>&1
}

# pip of the Python in $python, started in $from; settings that clash with --target are switched off.
pip() {
    (cd -- "$from" && PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        "$python" -m pip install --quiet --retries 2 "$@")
}

# The uv program is one native binary, so the Python that its metadata asks for does not matter; a pip that minded would
# download every version there ever was, looking for one that fits.
pip_uv() {
    pip --target "$work/uv" --upgrade --no-deps --only-binary :all: --ignore-requires-python "$wanted" &&
        usable "$work/uv/bin/uv"
}

fetch_with() {
    pip_uv && return
    # An old pip does not know today's wheels: a newer one beside it does.
    if pip --target "$work/pip" --upgrade pip; then
        (PYTHONPATH=$work/pip && export PYTHONPATH && pip_uv) && return
    fi
    # No pip, or one that the distribution cut down: a virtual environment brings its own.
    for maker in venv virtualenv; do
        rm -rf "$work/env"
        if (cd -- "$from" && "$python" -m "$maker" "$work/env"); then
            (
                python=$work/env/bin/python
                pip_uv || { pip --upgrade pip && pip_uv; }
            ) && return
        fi
    done
    return 1
}

fetch() {
    mkdir -p "$root/.uv"
    work=$(mktemp -d "$root/.uv/fetch.XXXXXX")
    log=$work/log
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' HUP INT TERM
    echo 'uv is not on PATH: fetching it into .uv/' >&2
    tried=
    for python in python3 python python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 \
        python3.7 python3.6 /usr/bin/python3 /usr/local/bin/python3; do
        # A version manager may refuse to start the Python that `.python-version` asks for; outside this folder it may not.
        for from in "$root" /; do
            is_python "$python" "$from" || continue
            program=$(cd -- "$from" && "$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
            case $tried in *"|$program|"*) continue ;; esac
            tried="$tried|$program|"
            if fetch_with >>"$log" 2>&1; then
                mv -f "$work/uv/bin/uv" "$root/.uv/uv"
                rm -rf "$work"
                trap - EXIT
                return
            fi
        done
    done
    [ ! -s "$log" ] || tail -n 5 "$log" >&2
    cat >&2 <<'END'

This project is set up with uv, and uv could neither be found nor fetched: no Python 3.6 or later with a working pip
or venv, or no way to a package index. Install uv in any way you like, for example
    pipx install uv        brew install uv        conda install -c conda-forge uv
or with your distribution's packages, see that `uv --version` says 0.8 or later, and run make again.
END
    exit 1
}

if usable uv; then
    uv=uv
else
    uv=$root/.uv/uv
    usable "$uv" || fetch
fi
exec "$uv" "$@"
