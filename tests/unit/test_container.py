"""The image's files: its lock, its health check, the place that a job gets inside the container."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from lstv.run import job_prefix

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "containers/job_environment.sh"
LISTED = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TORCH_HOME")


def names(path: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().replace("\\\n", "").splitlines())
    return {re.split(r"[=<>;\[ ]", line)[0].lower() for line in lines if line and not line.startswith("-r")}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


def test_the_image_has_all_that_the_library_needs_in_the_versions_of_the_workstation():
    image, workstation = (pins(ROOT / f"envs/{name}.lock.txt") for name in ("image", "workflow"))
    assert names(ROOT / "envs/library.in") <= set(image) and "torch" not in image
    assert image.items() <= workstation.items()


def test_every_line_of_the_lock_is_a_pin():
    """And has hashes: of all files of that version, so that the lock serves every platform."""
    for lock in ("image", "workflow"):
        text = (ROOT / f"envs/{lock}.lock.txt").read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        pin = re.compile(r"(?!torch=)[a-z0-9-]+==[0-9][\w.]*( +--hash=sha256:[0-9a-f]{64})+")
        assert len(lines) > 20 and all(pin.fullmatch(line) for line in lines), lines
    torch = [line for line in (ROOT / "envs/torch.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(torch) == 1 and re.fullmatch(r"torch==\d+\.\d+\.\d+", torch[0])


@pytest.mark.slow
def test_health_check_passes_where_the_library_works():
    done = subprocess.run([sys.executable, ROOT / "containers/health_check.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "healthy" and "gdcm, pylibjpeg" in done.stdout


def test_health_check_says_in_one_line_what_is_missing(tmp_path):
    (tmp_path / "gdcm.py").write_text("raise ImportError('no gdcm here')")
    code = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['check']; "
    code += f"runpy.run_path({str(ROOT / 'containers/health_check.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "This image is not fit for use: ImportError: no gdcm here\n"


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_sbom", ROOT / "containers/sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STATUS = """Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1+b2
Description: compression library
 Version: 9 of nothing

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

"""


def test_the_image_lists_its_packages(sbom, tmp_path, monkeypatch, capsys):
    (tmp_path / "status").write_text(STATUS)
    (tmp_path / "os").write_text('ID=debian\nVERSION_ID="12"\n\n# no entry\n')
    monkeypatch.setattr(sbom, "DPKG_STATUS", tmp_path / "status")
    monkeypatch.setattr(sbom, "OS_RELEASE", tmp_path / "os")
    assert sbom.main([]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert found["bomFormat"] == "CycloneDX" and found["specVersion"] == "1.5"
    parts = {part["name"]: part for part in found["components"]}
    assert parts["debian"]["version"] == "12" and "gone" not in parts
    assert parts["zlib1g"]["purl"] == "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1%2Bb2?arch=amd64&distro=debian-12"
    assert parts["numpy"]["version"] == metadata.version("numpy") and parts["numpy"]["purl"].startswith(
        "pkg:pypi/numpy@"
    )
    assert "GNU General Public License" in str(parts["pylibjpeg-libjpeg"]["licenses"]), "its reader has to know"
    references = [part["bom-ref"] for part in found["components"]]
    assert len(set(references)) == len(references)
    sbom.main([])
    assert capsys.readouterr().out == text


def test_a_base_of_another_family_has_no_packages_that_are_known(sbom, tmp_path, monkeypatch):
    for name in ("DPKG_STATUS", "OS_RELEASE"):
        monkeypatch.setattr(sbom, name, tmp_path / "none")
    assert {part["purl"].split("/")[0] for part in sbom.bill()["components"]} == {"pkg:generic", "pkg:pypi"}


def prefix() -> str:
    """What the workflow puts before each command, with the script where it is."""
    return job_prefix.prefix(str(ENVIRONMENT)).format()


def in_job(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess:
    script = f"{prefix()}{command}"
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nowhere", **environment}
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)


SHOW = "for name in " + " ".join(LISTED) + '; do echo "${!name}"; done; touch "$TMPDIR/file" "$HOME/file"'


def test_job_gets_writable_places_of_its_own_in_the_project_and_they_are_removed(tmp_path):
    done = in_job(tmp_path, SHOW, APPTAINER_CONTAINER="image.sif")
    assert done.returncode == 0, done.stderr
    places = done.stdout.split()
    assert len(places) == len(LISTED)
    assert all(place.startswith(f"{tmp_path}/.snakemake/jobs/lstv-job.") for place in places)
    assert list((tmp_path / ".snakemake/jobs").iterdir()) == []


@pytest.mark.parametrize("end", ["false", "exit 3", "kill -TERM $$"])
def test_they_are_removed_however_the_job_fails(tmp_path, end):
    done = in_job(tmp_path, end, APPTAINER_CONTAINER="image.sif")
    assert done.returncode != 0
    assert list((tmp_path / ".snakemake/jobs").iterdir()) == []


def test_temporary_folder_of_the_site_is_preferred(tmp_path):
    site = tmp_path / "site tmp"
    site.mkdir()
    done = in_job(tmp_path, 'echo "$HOME"', APPTAINER_CONTAINER="image.sif", TMPDIR=str(site))
    assert done.stdout.startswith(f"{site}/lstv-job.") and list(site.iterdir()) == []
    elsewhere = in_job(tmp_path, 'echo "$HOME"', APPTAINER_CONTAINER="image.sif", TMPDIR=str(tmp_path / "not there"))
    assert elsewhere.stdout.startswith(f"{tmp_path}/.snakemake/jobs/")


def test_a_job_without_a_writable_place_does_not_start(tmp_path):
    (tmp_path / ".snakemake").touch()
    done = in_job(tmp_path, "echo started", APPTAINER_CONTAINER="image.sif")
    assert done.returncode != 0 and "started" not in done.stdout


def test_a_failure_inside_a_command_fails_the_job(tmp_path):
    assert in_job(tmp_path, "false; echo on").returncode != 0
    assert in_job(tmp_path, "false | cat; echo on").returncode != 0
    assert in_job(tmp_path, 'echo "$LSTV_NOT_SET"').returncode != 0


def test_outside_a_container_only_caches_move_into_the_project(tmp_path):
    done = in_job(tmp_path, 'echo "$HOME" "${TMPDIR:-none}" "$MPLCONFIGDIR"')
    assert done.stdout == f"/nowhere none {tmp_path}/.snakemake/cache/matplotlib\n" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("container", [{}, {"APPTAINER_CONTAINER": "image.sif"}])
def test_packages_of_another_python_stay_out(tmp_path, container):
    done = in_job(
        tmp_path, 'echo "${PYTHONPATH-none} ${PYTHONHOME-none}"', PYTHONPATH="/other", PYTHONHOME="/x", **container
    )
    assert done.stdout == "none none\n"


def test_make_does_not_take_packages_of_another_python(tmp_path):
    (tmp_path / "numpy.py").write_text('raise ImportError("numpy of another Python")\n')
    recipe = "include Makefile\nshown:\n\t@$(RUN) python3 -c 'import os; print(os.environ.get(\"PYTHONPATH\"))'\n"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "shown"],
        cwd=ROOT,
        input=recipe,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "None\n", done.stderr


def test_credentials_that_the_workflow_passes_in_are_kept(tmp_path):
    done = in_job(tmp_path, 'echo "$KAGGLE_CONFIG_DIR"', APPTAINER_CONTAINER="image.sif", KAGGLE_CONFIG_DIR="/creds")
    assert done.stdout == "/creds\n"


# --- profiles/slurm ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def profile() -> dict:
    return yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())


def rules() -> dict[str, str]:
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    parts = re.split(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?::| with:)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def test_memory_and_time_stand_in_the_rules_alone(profile):
    own = [profile["default-resources"], *profile["set-resources"].values()]
    assert not any({"mem_mb", "runtime"} & set(resources) for resources in own)
    assert set(profile["set-resources"]) <= set(rules())


def test_only_what_runs_a_network_asks_for_a_gpu_and_a_partition_of_its_own(profile):
    special = {
        name
        for name, values in profile["set-resources"].items()
        if {"gpu", "gres", "qos", "slurm_partition"} & set(values)
    }
    assert special == {"infer_heatmaps", "method_heatmaps", "spineps", "totalspineseg"}


def test_every_line_of_the_profile_has_its_reason_or_stands_under_one():
    lines = (ROOT / "profiles/slurm/config.yaml").read_text().splitlines()
    settings = [line for line in lines if re.match(r"[a-z-]+: \S", line)]
    above = {line: lines[lines.index(line) - 1] for line in settings}
    assert len(settings) > 10
    assert [line for line in settings if " # " not in line and not above[line].startswith("#")] == []
