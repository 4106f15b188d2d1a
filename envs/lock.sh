#!/usr/bin/env bash
# Renew a lock: resolve envs/NAME.in with the given Python and pin every package in envs/NAME.lock.txt.
# usage: envs/lock.sh PYTHON workflow|image   (image: with Python 3.10, the oldest that a base image may have)
set -euo pipefail
python=${1:?usage: envs/lock.sh PYTHON workflow|image}
name=${2:?usage: envs/lock.sh PYTHON workflow|image}
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --dry-run --ignore-installed --report "$scratch/report.json" -r "$name.in"
"$scratch/venv/bin/python" - "$scratch/report.json" "$name" >"$scratch/lock.txt" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
pins = {}
for item in report["install"]:
    name = item["metadata"]["name"].lower().replace("_", "-")
    # torch brings the CUDA libraries of its own build; which ones depends on the machine
    if not name.startswith(("nvidia-", "cuda-", "triton")):
        pins[name] = item["metadata"]["version"].split("+")[0]
print(f"# Made from {sys.argv[2]}.in by `make lock`; do not edit. Every package, direct or not, at one version.")
for name in sorted(pins):
    print(f"{name}=={pins[name]}")
PYTHON
mv "$scratch/lock.txt" "$name.lock.txt"
echo "envs/$name.lock.txt: $(grep -c == "$name.lock.txt") packages"
