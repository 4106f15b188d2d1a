#!/usr/bin/env python
"""Print what this image holds as CycloneDX 1.5 (JSON): Python, its packages, and the packages of Debian or Ubuntu.

The same image gives the same bytes: no time, no serial number. Files that no package brought are not listed.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

OS_RELEASE, DPKG_STATUS = Path("/etc/os-release"), Path("/var/lib/dpkg/status")


def main(argv: list[str] | None = None) -> int:
    """Print the list; 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(argv)
    print(json.dumps(bill(), indent=1, ensure_ascii=False))
    return 0


def bill() -> dict:
    """The whole list, each part sorted by name."""
    system = facts(OS_RELEASE)
    parts = [operating_system(system), python(), *python_packages(), *debian_packages(system)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "lstv-uncertainty", "bom-ref": "image"}},
        "components": [part for part in parts if part is not None],
    }


def facts(os_release: Path) -> dict[str, str]:
    """The entries of /etc/os-release; empty without one."""
    try:
        lines = os_release.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip("\"'") for name, equals, value in (line.partition("=") for line in lines) if equals}


def operating_system(system: dict[str, str]) -> dict | None:
    if "ID" not in system:
        return None
    version = {"version": system["VERSION_ID"]} if "VERSION_ID" in system else {}
    return {"type": "operating-system", "name": system["ID"], **version, "bom-ref": "os"}


def python() -> dict:
    """The interpreter, which many a base has compiled, so that no package names it."""
    return component("application", "python", platform.python_version(), "pkg:generic/python")


def python_packages() -> list[dict]:
    """Distributions that this Python sees; of one that is there twice, the one that is imported."""
    found: dict[str, dict] = {}
    for package in metadata.distributions():
        if not package.name or package.name in found:
            continue
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        part = component("library", package.name, package.version, f"pkg:pypi/{name}")
        found[package.name] = part | licences(package.metadata)
    return sorted(found.values(), key=lambda part: part["bom-ref"])


def licences(about: metadata.PackageMetadata) -> dict:
    """What the package's author gives as licence, unless that is its whole text."""
    if expression := about.get("License-Expression"):
        return {"licenses": [{"expression": expression}]}
    given = (about.get("License") or "").strip()
    named = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    names = named or ([given] if given and len(given) < 80 and "\n" not in given else [])
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def debian_packages(system: dict[str, str]) -> list[dict]:
    """Installed packages of dpkg; none where the base is of another family."""
    try:
        entries = DPKG_STATUS.read_text(encoding="utf-8", errors="replace").split("\n\n")
    except OSError:
        return []
    found = []
    for entry in entries:
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): (.*)$", entry, re.MULTILINE))
        if fields.get("Status", "").split()[-1:] == ["installed"] and "Version" in fields:
            where = system.get("ID", "debian")
            about = f"?arch={fields.get('Architecture', 'all')}&distro={where}-{system.get('VERSION_ID', 'unknown')}"
            found.append(
                component(
                    "library", fields["Package"], fields["Version"], f"pkg:deb/{where}/{fields['Package']}", about
                )
            )
    return sorted(found, key=lambda part: part["bom-ref"])


def component(kind: str, name: str, version: str, address: str, about: str = "") -> dict:
    """A part with its package URL (purl), in which all but a few signs of a version are written by their codes."""
    place, _, last = address.rpartition("/")
    purl = f"{place}/{quote(last, safe='-._~')}@{quote(version, safe='-._~:')}{about}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    sys.exit(main())
