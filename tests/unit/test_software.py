"""What is written down of the software that a run uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import software_versions
from lstv import __version__
from lstv.base import checksums, installed
from lstv.run import maker, revision, software

ROOT = Path(__file__).parents[2]


def test_versions_of_the_environment_in_which_the_program_runs():
    found = software.ask([sys.executable, str(ROOT / "scripts/software_versions.py")])
    assert found["libraries"]["numpy"] == np.__version__
    assert found["decoders"]["pydicom"] and found["python"].startswith("3.")
    assert installed.versions(["no-such-package"]) == {"no-such-package": None}


def test_an_environment_that_does_not_answer_is_unknown():
    assert software.ask(["false"]) is software.ask(["no-such-program"]) is software.ask(["echo", "no"]) is None


def test_the_program_prints_json(capsys):
    assert software_versions.main([]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == software.here()


NONE = {"git_revision": None, "git_changes": None}


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def code(tmp_path) -> Path:
    """A repository with a commit."""
    folder = tmp_path / "code"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/a.py").touch()
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        git(folder, *words)
    return folder


def test_revision_and_changes(code):
    head = git(code, "rev-parse", "HEAD")
    assert (
        revision.of(code) == {"git_revision": head, "git_changes": False} and revision.text(revision.of(code)) == head
    )
    (code / "notes.txt").write_text("not of the code")
    assert revision.text(revision.of(code)) == head
    (code / "scripts/a.py").write_text("changed")
    assert revision.text(revision.of(code)) == f"{head}+changes"
    git(code, "checkout", "-q", "scripts")
    (code / "scripts/new.py").touch()
    assert revision.text(revision.of(code)) == f"{head}+changes"


def test_a_revision_that_is_not_known(code, tmp_path, monkeypatch):
    """A copy without its history, also inside of another repository, or where git is called by a hook of that."""
    copy = code / "copy"
    copy.mkdir()
    monkeypatch.setenv("GIT_DIR", str(code / ".git"))
    for folder in (tmp_path, copy):
        assert revision.of(folder) == NONE and revision.commit(folder) is revision.text(NONE) is None
    (copy / ".git").mkdir()
    assert revision.of(copy) == NONE and revision.commit(copy) is None
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.delenv("GIT_DIR")
    git(empty, "init", "-q")
    assert revision.of(empty) == NONE and revision.commit(empty) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision.of(code) == NONE and len(revision.commit(code)) == 40, "the commit is read without git"


@pytest.mark.parametrize("case", ["a branch", "packed", "a tag", "a worktree", "unpacked"])
def test_the_commit_is_read_as_git_reads_it(code, tmp_path, case):
    folder = code
    if case == "packed":
        git(code, "pack-refs", "--all")
    elif case == "a tag":
        git(code, "checkout", "-q", "--detach")
    elif case == "a worktree":
        folder = tmp_path / "tree"
        git(code, "worktree", "add", "-q", str(folder), "-b", "other/one")
        git(folder, "commit", "-qm", "more", "--allow-empty")
    elif case == "unpacked":
        folder = tmp_path / "tree"
        folder.mkdir()
        (folder / "REVISION").write_text(git(code, "rev-parse", "HEAD") + "\n")
    head = git(code if case == "unpacked" else folder, "rev-parse", "HEAD")
    assert revision.commit(folder) == head == revision.of(folder)["git_revision"]


def test_a_job_says_what_the_run_recorded_unless_the_code_has_moved_on(code, tmp_path, monkeypatch):
    head = git(code, "rev-parse", "HEAD")
    record = tmp_path / "software_versions.yml"
    image = {"name": "/home/somebody/lstv.sif", "sha256": "beef"}
    record.write_text(yaml.safe_dump({"git_revision": head, "git_changes": True, "image": image}))
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(tmp_path))
        made = maker.here(record, ["numpy", "no-such-package"], code=code)
        assert made["git_revision"] == f"{head}+changes" and made["image"] == {"name": "lstv.sif", "sha256": "beef"}
        assert made["libraries"] == {"numpy": np.__version__, "no-such-package": None}
        assert made["python"] == ".".join(map(str, sys.version_info[:3]))
    hidden = tmp_path / "worktree"
    hidden.mkdir()
    (hidden / ".git").write_text("gitdir: /not/bound/in/the/container\n")
    assert maker.here(record, [], code=hidden)["git_revision"] == f"{head}+changes"
    assert maker.here(None, [], code=hidden)["git_revision"] is None
    git(code, "commit", "-qm", "more", "--allow-empty")
    assert maker.here(record, [], code=code)["git_revision"] == git(code, "rev-parse", "HEAD")
    for broken in ("[1]", "a: [", "image: lstv.sif", None):
        record.unlink(missing_ok=True)
        if broken is not None:
            record.write_text(broken)
        made = maker.here(record, [], code=code)
        assert made["image"] is None and made["git_revision"] == git(code, "rev-parse", "HEAD")
    assert maker.here(None, [], code=code)["git_revision"] == git(code, "rev-parse", "HEAD")
    assert maker.here(None, [], code=tmp_path)["git_revision"] is None


def test_no_setting_shows_a_folder_at_whatever_depth():
    settings = {
        "a": Path("/home/jane/x.pth"),
        "b": ["/home/jane/y.csv", Path("/home/jane/z")],
        "c": {"d": "/home/jane/w"},
    }
    made = maker.provenance(None, (), {**settings, "e": (1, None, True)})
    shown = json.dumps(made["configuration"])
    assert "jane" not in shown and all(name in shown for name in ("x.pth", "y.csv", "z", "w", "[1, null, true]"))


def test_digest_of_the_configuration_does_not_hang_on_order():
    first = checksums.of_settings({"a": 1, "b": {"c": None, "d": 2}})
    assert first == checksums.of_settings({"b": {"d": 2, "c": None}, "a": 1})
    assert first != checksums.of_settings({"a": 1, "b": {"c": None, "d": 3}})


def test_a_command_shows_no_private_path():
    words = ["/x/.venv/bin/snakemake", "--config", "source={path: /data/Mr Smith}", "cohort=a b"]
    shown = software.command_line(words, ["/data/Mr Smith", None])
    assert "Smith" not in shown and shown.startswith("snakemake --config ") and "'cohort=a b'" in shown
    shown = software.command_line(["snakemake", "-s", "/home/smith/code/Snakefile", "--profile", "profiles/local"], [])
    assert shown == "snakemake -s .../Snakefile --profile profiles/local", "of other paths the last name"


def test_the_file_and_the_image(tmp_path):
    (tmp_path / "image.sif").write_bytes(b"abc")
    image = software.image("image.sif", tmp_path / "image.sif")
    assert image["sha256"].startswith("ba7816bf")
    assert software.image("docker://a/b:1", tmp_path / "none") == {"name": "docker://a/b:1", "sha256": None}
    assert software.image("/home/somebody/a.sif", tmp_path / "none")["name"] == ".../a.sif"
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
