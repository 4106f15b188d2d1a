"""profiles/slurm as a user of the tests' site fills it in, and the parts of a project folder."""

from __future__ import annotations

from pathlib import Path

PARTS = ("workflow", "scripts", "config", "profiles", "resources", "containers")
_SITE = (
    ("slurm_account: FILL_IN", "slurm_account: lab"),
    ("slurm_partition: FILL_IN", "slurm_partition: primary"),
    ("slurm_partition: FILL_IN", "slurm_partition: gpu"),
)


def fill_in_site(profile: Path) -> None:
    """Account and partitions, in the order of the file, as docs/hpc.md tells users to put them in."""
    text = profile.read_text()
    for blank, value in _SITE:
        assert blank in text
        text = text.replace(blank, value, 1)
    profile.write_text(text)
