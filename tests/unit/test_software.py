"""What is written down of the software that a run uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

import software_versions
from lstv import __version__
from lstv.run import software

ROOT = Path(__file__).parents[2]


def test_versions_of_the_environment_in_which_the_program_runs():
    found = software.ask([sys.executable, str(ROOT / "scripts/software_versions.py")])
    assert found["libraries"]["numpy"] == np.__version__
    assert found["decoders"]["pydicom"] and found["python"].startswith("3.")
    assert software.versions(["no-such-package"]) == {"no-such-package": None}


def test_an_environment_that_does_not_answer_is_unknown():
    assert software.ask(["false"]) is software.ask(["no-such-program"]) is software.ask(["echo", "no"]) is None


def test_the_program_prints_json(capsys):
    assert software_versions.main([]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == software.here()


def test_revision_and_changes(tmp_path):
    assert software.revision(tmp_path) == {"git_revision": None, "git_changes": None}
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/a.py").touch()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    found = software.revision(tmp_path)
    assert len(found["git_revision"]) == 40 and found["git_changes"] is False
    (tmp_path / "scripts/a.py").write_text("changed")
    assert software.revision(tmp_path)["git_changes"] is True


def test_digest_of_the_configuration_does_not_hang_on_order():
    first = software.configuration_digest({"a": 1, "b": {"c": None, "d": 2}})
    assert first == software.configuration_digest({"b": {"d": 2, "c": None}, "a": 1})
    assert first != software.configuration_digest({"a": 1, "b": {"c": None, "d": 3}})


def test_a_command_shows_no_private_path():
    words = ["/x/.venv/bin/snakemake", "--config", "source={path: /data/Mr Smith}", "cohort=a b"]
    shown = software.command_line(words, ["/data/Mr Smith", None])
    assert "Smith" not in shown and shown.startswith("snakemake --config ") and "'cohort=a b'" in shown
    assert "/data/Mr Smith" in software.command_line(words, [])


def test_the_file_and_the_image(tmp_path):
    (tmp_path / "image.sif").write_bytes(b"abc")
    image = software.image("image.sif", tmp_path / "image.sif")
    assert image["sha256"].startswith("ba7816bf")
    assert software.image("docker://a/b:1", tmp_path / "none")["sha256"] is None
    software.write(tmp_path / "results/software_versions.yml", {"image": image})
    found = yaml.safe_load((tmp_path / "results/software_versions.yml").read_text())
    assert found["lstv_uncertainty"] == __version__ and found["image"] == image and found["scheduler"]["snakemake"]


def test_the_configuration_is_shown_without_places():
    settings = {
        "cohort": "a",
        "source": {"path": "data/ward", "key": None},
        "localizer": {"checkpoint": "/home/me/n.pth"},
    }
    shown = software.configuration(settings, ["data/ward"])
    assert shown["source"] == {"path": software.NOT_SHOWN, "key": None}
    assert shown["localizer"] == {"checkpoint": ".../n.pth"} and shown["cohort"] == "a"
    assert settings["source"]["path"] == "data/ward"
