#!/usr/bin/env bash
# Renew envs/workflow.lock.txt: resolve envs/workflow.in with the given Python and pin every package.
# usage: envs/lock.sh PYTHON
set -euo pipefail
python=${1:?usage: envs/lock.sh PYTHON}
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --dry-run --ignore-installed --report "$scratch/report.json" -r workflow.in
"$scratch/venv/bin/python" - "$scratch/report.json" >"$scratch/lock.txt" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
pins = {}
for item in report["install"]:
    name = item["metadata"]["name"].lower().replace("_", "-")
    # torch brings the CUDA libraries of its own build; which ones depends on the machine
    if not name.startswith(("nvidia-", "cuda-", "triton")):
        pins[name] = item["metadata"]["version"].split("+")[0]
print("# Made from workflow.in by `make lock`; do not edit. Every package, direct or not, at one version.")
for name in sorted(pins):
    print(f"{name}=={pins[name]}")
PYTHON
mv "$scratch/lock.txt" workflow.lock.txt
echo "envs/workflow.lock.txt: $(grep -c == workflow.lock.txt) packages"
