"""Where this software's code is. Its paths count from there, the user's paths from the working directory.

The code lies beside the Snakefile that is read, or, where another workflow takes this one as a module from a repository, is
unpacked once below the working directory, because the programs and their library must lie on a disk.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.exceptions import WorkflowError

IS_MODULE = not workflow.modifier.is_main_snakefile()


def code_folder(rules_folder):
    """The folder of the code, by where Snakemake has the folder of this file."""
    if hasattr(rules_folder, "repo_path"):
        return unpacked(rules_folder.repo_path, rules_folder.ref)
    if hasattr(rules_folder, "hosted_repo"):
        rules_folder.fetch_if_required()
        return unpacked(rules_folder.hosted_repo.repo.git_dir, rules_folder.ref)
    return Path(rules_folder.get_path_or_uri(secret_free=True)).parents[1]


def unpacked(repository, ref):
    """The commit of a repository that ``ref`` names, as files in the working directory's .snakemake."""
    try:
        git = ["git", "-C", str(repository)]
        said = subprocess.run(
            [*git, "rev-parse", "--verify", f"{ref}^{{commit}}"], capture_output=True, text=True, check=True
        )
        commit = said.stdout.strip()
        folder = Path(".snakemake/lstv-uncertainty", commit).absolute()
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as place:
                parts = ("workflow", "scripts", "containers", "config", "resources", "profiles")
                archive = Path(place, "archive.tar")
                subprocess.run(
                    [*git, "archive", f"--output={archive}", commit, *parts], capture_output=True, check=True
                )
                with tarfile.open(archive) as files:
                    files.extractall(Path(place, "code"), filter="data")
                Path(place, "code", "REVISION").write_text(f"{commit}\n")
                os.rename(Path(place, "code"), folder)
    except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
        said = getattr(error, "stderr", None) or error
        raise WorkflowError(
            f"lstv-uncertainty could not be unpacked from {repository} at {ref} ({said}); clone it, and give the path of its "
            "workflow/Snakefile to the module."
        )
    return folder


ROOT = code_folder(workflow.current_basedir)
IN_PLACE = not IS_MODULE and ROOT.samefile(".")
sys.path.insert(0, str(ROOT / "scripts"))


def of_code(name):
    """A file of the code as rules name it."""
    return name if IN_PLACE else str(ROOT / name)


if workflow.modifier.path_modifier.prefix or workflow.modifier.path_modifier.modifies_prefixes:
    raise WorkflowError(
        "The module of lstv-uncertainty has a prefix, which its results cannot have: remove prefix and replace_prefix, and name "
        "the run by cohort in its configuration (results/<cohort>)."
    )


# the working directory's, or else the one that comes with the code; options of the command line are laid over it
configfile: "config/config.yaml" if os.path.exists("config/config.yaml") else of_code("config/config.yaml")
