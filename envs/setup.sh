#!/usr/bin/env bash
# Make the virtual environment and install the pinned packages. usage: envs/setup.sh PYTHON FOLDER
# PYTHON may be empty: the first on the PATH that runs and is new enough is taken.
set -euo pipefail
unset PYTHONPATH PYTHONHOME # another Python's packages, as environment modules set them
python=${1:-}
folder=${2:?usage: envs/setup.sh PYTHON FOLDER}
lock="$(dirname "$0")/workflow.lock.txt"
torch="$(dirname "$0")/torch.txt"

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && usable "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ] || ! usable "$python"; then
    echo "Error: Python 3.11 or newer is needed${python:+, and $python is not}; install it, or name it: make PYTHON=/path/to/python3.12" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian and Ubuntu keep this part of Python in a package of its own
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package, which Python needs to make a virtual environment ..."
        apt-get update -qq && apt-get install -y -qq "$package" >/dev/null
    else
        echo "Error: this Python cannot make virtual environments; install its package: sudo apt install $package" >&2
        exit 2
    fi
fi

start=$SECONDS
echo "Installing $(cat "$lock" "$torch" | grep -c ==) pinned packages into $folder (some minutes the first time) ..."
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
# bytecode now, not at every start: Snakemake alone saves seconds by it
unset PYTHONDONTWRITEBYTECODE
install() { "$folder/bin/python" -m pip install --disable-pip-version-check --no-input "$@" >>"$folder/setup.log" 2>&1; }
: >"$folder/setup.log"
# every file is held to its hash but torch's, which differs from machine to machine
if ! { install --require-hashes -r "$lock" && install -r "$torch"; }; then
    tail -n 5 "$folder/setup.log" >&2
    echo "Error: the packages could not be installed; the whole output is in $folder/setup.log, and the same command tries again." >&2
    exit 2
fi
# `module load python` often sets PYTHONPATH to the packages of another Python
line='unset PYTHONPATH PYTHONHOME # packages of another Python, as environment modules set them'
grep -qxF "$line" "$folder/bin/activate" || echo "$line" >>"$folder/bin/activate"
touch "$folder/.ready"
echo "Packages are ready after $((SECONDS - start)) s."
