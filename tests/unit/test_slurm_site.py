"""The SLURM profile filled in with what a site tells; sacctmgr, sinfo and scontrol are pretended."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import fill_slurm_profile
from lstv.base.errors import UserError
from lstv.run import deployment, slurm_site

ROOT = Path(__file__).parents[2]
WITH_DATABASE = "AccountingStorageType   = accounting_storage/slurmdbd\n"


def told(accounts: str | None, partitions: str | None, config: str | None = WITH_DATABASE) -> slurm_site.Site:
    said = {"sacctmgr": accounts, "sinfo": partitions, "scontrol": config}
    return slurm_site.ask("me", lambda command: said[command[0]])


QOS_SITE = told("mine|normal,primary,gpu,requeue\n", "batch*|(null)|avx\nbatch*|gpu:v100:4(S:0-1)|v100,ib\n")
PARTITION_SITE = told("lab-smith|normal\n", "cpu*|(null)|(null)\ngpu|gpu:a100:4|a100,ib\ngpu|gpu:v100:2,tmp:1|volta\n")


def profile(site: slurm_site.Site) -> dict:
    return yaml.safe_load(slurm_site.filled(delivered(), slurm_site.fill(site).values))


def delivered() -> str:
    return (ROOT / "profiles/slurm/config.yaml").read_text()


def test_a_site_of_qos_has_the_profile_as_it_is_delivered():
    filling = slurm_site.fill(QOS_SITE)
    assert slurm_site.filled(delivered(), filling.values) == delivered()
    script = (ROOT / "profiles/slurm/main.sh").read_text()
    assert slurm_site.main_job(script, filling.values) == script
    assert filling.missing == [] and "GPUs: gpu:v100:4" in filling.found


def test_a_site_of_accounts_and_partitions():
    made = profile(PARTITION_SITE)
    inference = made["set-resources"]["infer_heatmaps"]
    assert made["default-resources"] == {"slurm_account": "lab-smith", "slurm_partition": "cpu"}
    assert "slurm-no-account" not in made and "qos" not in inference
    assert (inference["slurm_partition"], inference["gres"], inference["constraint"]) == ("gpu", "gpu:1", "volta")
    script = slurm_site.main_job(
        (ROOT / "profiles/slurm/main.sh").read_text(), slurm_site.fill(PARTITION_SITE).values
    ).splitlines()
    assert "#SBATCH --account=lab-smith" in script and "#SBATCH --partition=cpu" in script
    assert not [line for line in script if line.startswith("#SBATCH --qos")]


def test_what_is_not_clear_is_left_to_the_user_with_the_choice():
    site = told("a|normal\nb|normal\n", "one*|(null)|\nx-ray|gpu:2|\nyoke|gpu:2|\n")
    filling = slurm_site.fill(site)
    assert filling.values["slurm_account"] == filling.values["gpu.slurm_partition"] == deployment.FILL_IN
    assert any("one of a, b" in sentence for sentence in filling.missing)
    assert any("one of x-ray, yoke" in sentence for sentence in filling.missing)
    made = profile(site)
    resources = {key: str(value) for key, value in made["default-resources"].items()}
    assert len(deployment.left_blank(resources)) == 1


def test_a_gpu_qos_whose_nodes_are_not_in_the_default_partition():
    made = profile(told("mine|primary,gpu\n", "cpu*|(null)|\naccelerated|gpu:4|\n"))
    assert made["set-resources"]["infer_heatmaps"]["slurm_partition"] == "accelerated"
    assert "constraint" not in made["set-resources"]["infer_heatmaps"]


def test_without_accounting_or_gpu_or_with_silent_programs():
    without = slurm_site.fill(told(None, "all*|(null)|\n", "AccountingStorageType   = (null)\n"))
    assert without.values["qos"] is None and "slurm_account" not in without.values
    assert "\nslurm-no-account: true #" in slurm_site.filled(delivered(), without.values)
    assert without.values["gpu.gres"] == without.values["gpu.slurm_partition"] == deployment.FILL_IN
    assert "sacctmgr did not answer" in without.missing
    with pytest.raises(UserError, match="none of sacctmgr, sinfo and scontrol answers"):
        told(None, None, None)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A copy of the profile in a git repository, at the site of partitions."""
    programs = tmp_path / "bin"
    programs.mkdir()
    answers = {"sacctmgr": "lab-smith|normal", "sinfo": "cpu*|(null)|\ngpu|gpu:4|a100", "scontrol": WITH_DATABASE}
    for name, text in answers.items():
        (programs / name).write_text(f"#!/bin/bash\ncat <<'END'\n{text}\nEND\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    target = tmp_path / "project/slurm"
    shutil.copytree(ROOT / "profiles/slurm", target)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as delivered"]):
        subprocess.run([*git, *command], cwd=target, check=True)
    return target


def test_the_program_fills_in_once_and_overwrites_nothing(folder, capsys):
    assert fill_slurm_profile.main(["--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "found    account: lab-smith" in said and "config.yaml is filled in" in said
    text = (folder / "config.yaml").read_text()
    assert "  slurm_account: lab-smith #" in text and (folder / "main.sh").stat().st_mode & 0o100
    assert fill_slurm_profile.main(["--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Nothing was written, because you have edited" in said and "slurm_account: lab-smith" in said
    assert (folder / "config.yaml").read_text() == text


@pytest.mark.parametrize("git", [True, False])
def test_an_edited_profile_is_kept(folder, capsys, git):
    if not git:
        shutil.rmtree(folder / ".git")
    text = (folder / "config.yaml").read_text().replace("  qos: primary ", "  qos: mine ")
    (folder / "config.yaml").write_text(text)
    assert fill_slurm_profile.main(["--folder", str(folder)]) == 0
    assert "Nothing was written" in capsys.readouterr().out and (folder / "config.yaml").read_text() == text


def test_without_git_the_profile_as_delivered_is_filled_in(folder):
    shutil.rmtree(folder / ".git")
    assert fill_slurm_profile.main(["--folder", str(folder)]) == 0
    assert "  slurm_account: lab-smith #" in (folder / "config.yaml").read_text()
