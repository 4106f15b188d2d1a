"""Fill in the SLURM profile with what sacctmgr, sinfo and scontrol tell of this site, and say what they did not tell.

A file that was edited is never overwritten: then the values are shown only. ``make slurm-profile`` runs this.
"""

from __future__ import annotations

import argparse
import getpass
import subprocess
import sys
from pathlib import Path

from lstv.base.atomic import write_text
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.run import slurm_site

_FOLDER = Path(__file__).resolve().parents[1] / "profiles/slurm"
_DELIVERED = ("\n  qos: primary ", "\n    qos: gpu ", "\n    gres: gpu:1 ", "\n    constraint: v100 ")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="the profile (default: that of this project)")
    return parser.parse_args(argv)


def edited(path: Path) -> bool:
    """Whether a file differs from that of the last commit; without git, whether it has other values than as delivered."""
    command = ["git", "status", "--porcelain", "--", path.name]
    try:
        done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    except OSError:
        done = None
    if done is not None and done.returncode == 0:
        return bool(done.stdout.strip())
    return path.suffix == ".yaml" and not all(line in path.read_text() for line in _DELIVERED)


def main(argv: list[str] | None = None) -> int:
    """Ask, choose, write; 0 also where something is left to be filled in."""
    args = parse_args(argv)
    profile, script = args.folder / "config.yaml", args.folder / "main.sh"
    for path in (profile, script):
        if not path.is_file():
            raise UserError(f"{path} does not exist; name the folder of the SLURM profile with --folder.")
    filling = slurm_site.fill(slurm_site.ask(getpass.getuser()))
    for sentence in filling.found:
        print(f"found    {sentence}")
    for sentence in filling.missing:
        print(f"missing  {sentence}")
    changed = [path for path in (profile, script) if edited(path)]
    if changed:
        print(f"Nothing was written, because you have edited {' and '.join(map(str, changed))}. The values would be:")
        for line, value in filling.values.items():
            print(f"  {line.replace('gpu.', 'infer_heatmaps.')}: {'(no such line)' if value is None else value}")
        return 0
    texts = {
        profile: slurm_site.filled(profile.read_text(), filling.values),
        script: slurm_site.main_job(script.read_text(), filling.values),
    }
    for path, text in texts.items():
        if text == path.read_text():
            print(f"{path} fits as it is.")
            continue
        mode = path.stat().st_mode
        write_text(path, text)
        path.chmod(mode)
        print(f"{path} is filled in; look at it, then: snakemake --profile slurm -n")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
