#!/usr/bin/env bash
# Renew a lock: resolve envs/NAME.in with the given Python and pin every package in envs/NAME.lock.txt, with the hashes of all
# files that the package index has of that version, so that the lock serves every platform. torch stays apart (torch.txt).
# The image takes the versions of the workstation's lock, so renew that first. PYTHON is the oldest that is supported, 3.11.
# usage: envs/lock.sh PYTHON workflow|image
set -euo pipefail
python=${1:?usage: envs/lock.sh PYTHON workflow|image}
name=${2:?usage: envs/lock.sh PYTHON workflow|image}
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet uv
touch "$scratch/versions.txt"
[ "$name" = workflow ] || grep -oE '^[A-Za-z0-9._-]+==[^ ;]+' workflow.lock.txt >"$scratch/versions.txt"
"$scratch/venv/bin/pip" install --quiet --dry-run --ignore-installed --report "$scratch/report.json" -r "$name.in" -c "$scratch/versions.txt"
"$scratch/venv/bin/python" - "$scratch/report.json" >"$scratch/pins.txt" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
pins = {}
for item in report["install"]:
    name = item["metadata"]["name"].lower().replace("_", "-")
    # torch brings the CUDA libraries of its own build; which ones depends on the machine
    if name != "torch" and not name.startswith(("nvidia-", "cuda-", "triton")):
        pins[name] = item["metadata"]["version"].split("+")[0]
for name in sorted(pins):
    print(f"{name}=={pins[name]}")
PYTHON
{
    echo "# Made from $name.in by \`make lock\`; do not edit. Every package but torch, direct or not, at one version and with hashes."
    # of the index alone: a machine may have files of its own beside it, which others do not have
    "$scratch/venv/bin/uv" pip compile --quiet --no-config --no-deps --universal --generate-hashes --no-annotate --no-header \
        --python-version "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$scratch/pins.txt"
} >"$scratch/lock.txt"
mv "$scratch/lock.txt" "$name.lock.txt"
echo "envs/$name.lock.txt: $(grep -c == "$name.lock.txt") packages"
