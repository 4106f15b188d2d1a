"""build_and_push.sh with a pretended engine that notes what it is asked: what is checked, in which order, what is pushed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lstv import __version__

ROOT = Path(__file__).parents[2]
REPOSITORY = "registry.example/me/lstv"
IMAGE = f"{REPOSITORY}:{__version__}"
DIGEST = "sha256:" + "5b" * 32
ENGINE = """#!/bin/bash
echo "$(basename "$0") $*" >>"$ENGINE_LOG"
case "$1" in
    info) echo "[[driver-type ${STORE:-}]]"; exit "${INFO:-0}" ;;
    run) echo healthy; exit "${HEALTH:-0}" ;;
    images) echo 1.9GB ;;
    inspect) [ "$2" = --type ] && echo "$BASE_DIGEST" || echo "registry.example/me/lstv@sha256:0123" ;;
    image) echo "${4%:*}@$BASE_DIGEST" ;;
    pull) exit "${PULL:-0}" ;;
    login) [ "${LOGGED_IN:-yes}" = yes ] && echo me ;;
    manifest) exit "${KNOWN:-1}" ;;
    push) [ "${2:-}" = --digestfile ] && echo sha256:4567 >"$3"; exit 0 ;;
esac
"""


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.log.touch()

    def install(self, name: str) -> None:
        (self.programs / name).write_text(ENGINE)
        (self.programs / name).chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        variables = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), "ENGINE_LOG": str(self.log)}
        variables["BASE_DIGEST"] = DIGEST
        return subprocess.run(
            [ROOT / "containers/build_and_push.sh", *arguments],
            env={**variables, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def calls(self, verb: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.split()[1] == verb]

    def error(self, *arguments: str, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == 2, done.stdout + done.stderr
        (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        return sentence


@pytest.fixture
def site(tmp_path) -> Site:
    made = Site(tmp_path)
    made.install("podman")
    return made


def test_builds_checks_and_pushes_under_the_version_and_never_latest_alone(site):
    done = site.run("--engine", "podman", "--yes", REPOSITORY)
    assert done.returncode == 0, done.stderr
    (built,) = site.calls("build")
    assert f"-t {IMAGE}" in built and f"org.opencontainers.image.version={__version__}" in built
    assert "org.opencontainers.image.revision=" in built
    (pushed,) = site.calls("push")
    assert pushed.endswith(f"{IMAGE} docker://{IMAGE}")
    assert "healthy" in done.stdout and "Size unpacked: 1.9GB" in done.stdout
    assert f"{REPOSITORY}@sha256:4567" in done.stdout
    site.run("--engine", "podman", "--yes", "--latest", REPOSITORY)
    assert [call.split()[4] for call in site.calls("push")[1:]] == [IMAGE, f"{REPOSITORY}:latest"]


def test_a_base_of_ones_own_keeps_its_torch(site):
    site.run("--engine", "podman", "--no-push", "--base", "pytorch/pytorch:2.10.0", REPOSITORY)
    (built,) = site.calls("build")
    assert f"--build-arg BASE_IMAGE=pytorch/pytorch@{DIGEST} " in built and "--build-arg TORCH=base" in built


def test_base_and_torch_are_passed_on(site):
    site.run("--engine", "podman", "--no-push", "--base", "python:3.12-slim-bookworm", "--torch", "2.13.0", REPOSITORY)
    (built,) = site.calls("build")
    assert f"--build-arg BASE_IMAGE=python@{DIGEST} " in built and "--build-arg TORCH=2.13.0" in built
    assert f"-t {IMAGE}-python-3.12-slim-bookworm-torch2.13.0 " in built  # another image, another tag
    assert site.calls("push") == []


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_the_base_is_taken_by_the_digest_that_its_registry_gives_and_recorded(site, engine):
    site.install(engine)
    done = site.run("--engine", engine, "--no-push", REPOSITORY)
    assert done.returncode == 0 and f"Base: python@{DIGEST}" in done.stdout, done.stderr
    (built,) = site.calls("bud" if engine == "buildah" else "build")
    assert f"--build-arg BASE_IMAGE=python@{DIGEST} " in built and "TORCH=" not in built
    assert "org.opencontainers.image.base.name=python:3.12-slim-bookworm" in built
    assert f"org.opencontainers.image.base.digest={DIGEST}" in built


def test_a_base_whose_digest_is_named_is_not_asked_for(site):
    site.run("--engine", "podman", "--no-push", "--base", f"python@{DIGEST}", REPOSITORY)
    (built,) = site.calls("build")
    assert f"BASE_IMAGE=python@{DIGEST} " in built and site.calls("pull") == []


def test_a_base_made_here_has_no_digest_to_record(site):
    done = site.run("--engine", "podman", "--no-push", "--base", "localhost/mine:1", REPOSITORY)
    (built,) = site.calls("build")
    assert (
        "BASE_IMAGE=localhost/mine:1 " in built
        and "base.digest" not in built
        and "no digest of its base" in done.stdout
    )


def test_a_base_that_cannot_be_pulled_or_named_by_digest_is_not_built_on(site):
    assert "cannot be pulled" in site.error("--engine", "podman", "--no-push", REPOSITORY, PULL="1")
    assert "does not tell the digest" in site.error("--engine", "podman", "--no-push", REPOSITORY, BASE_DIGEST="")
    assert site.calls("build") == []


def test_a_tag_that_the_registry_has_is_not_replaced_unasked(site):
    sentence = site.error("--engine", "podman", "--yes", REPOSITORY, KNOWN="0")
    assert f"the registry has {IMAGE} already" in sentence and site.calls("build") == []
    assert site.run("--engine", "podman", "--yes", "--replace", REPOSITORY, KNOWN="0").returncode == 0


def test_docker_shows_the_digest_that_the_registry_gave(site, tmp_path):
    site.install("docker")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {"registry.example": {}}}')
    done = site.run("--yes", REPOSITORY)
    assert done.returncode == 0 and f"{REPOSITORY}@sha256:0123" in done.stdout, done.stderr


def test_an_image_that_fails_its_check_is_not_pushed(site):
    assert "not fit for use" in site.error("--engine", "podman", "--yes", REPOSITORY, HEALTH="1")
    assert site.calls("push") == []


def test_without_login_nothing_is_built(site):
    sentence = site.error("--engine", "podman", "--yes", REPOSITORY, LOGGED_IN="no")
    assert "run 'podman login registry.example' first" in sentence
    assert site.calls("build") == []


def test_it_asks_before_it_pushes(site):
    # no terminal here, so there is nobody to ask
    assert "no terminal to ask at" in site.error("--engine", "podman", REPOSITORY)
    assert site.calls("push") == []


def test_engines_that_do_not_work(site, tmp_path):
    assert "unknown engine 'kaniko'" in site.error("--engine", "kaniko", REPOSITORY)
    assert "podman does not work here" in site.error("--engine", "podman", REPOSITORY, INFO="1")
    for name in ("docker", "podman", "buildah"):
        site.install(name)
    assert "none of docker, podman and buildah works here" in site.error(REPOSITORY, INFO="1")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "name the repository"),
        ((f"{REPOSITORY}:latest",), "leave the tag out"),
        (("--push-it", REPOSITORY), "unknown option --push-it"),
        (("--engine",), "--engine needs a value"),
        ((REPOSITORY, "another"), "one repository only"),
    ],
)
def test_wrong_words(site, arguments, word):
    assert word in site.error(*arguments)


def test_help_needs_no_engine(tmp_path):
    done = Site(tmp_path).run("--help", PATH=os.environ["PATH"])
    assert done.returncode == 0 and "--no-push" in done.stdout


@pytest.mark.parametrize(
    ("engine", "store", "said"),
    [
        ("docker", "io.containerd.snapshotter.v1", ""),
        ("docker", "overlay2", "until its containerd image store is turned on"),
        ("podman", "", "(podman keeps none)"),
        ("buildah", "", "(buildah keeps none)"),
    ],
)
def test_attestations_are_asked_for_where_the_engine_keeps_them(site, engine, store, said):
    site.install(engine)
    done = site.run("--engine", engine, "--no-push", REPOSITORY, STORE=store)
    assert done.returncode == 0, done.stderr
    (built,) = site.calls("bud" if engine == "buildah" else "build")
    assert ("--sbom=true --provenance=mode=max" in built) == ("no attestation" not in done.stdout) == (not said)
    assert said in done.stdout
