"""What stops a run on a cluster or in a container before its first job, and what a container is shown of the disk."""

from __future__ import annotations

import errno
import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lstv.base.errors import UserError
from lstv.run import deployment
from lstv.run.deployment import Run, bind_paths, container_environment, problems
from lstv.run.lock import hold
from lstv_kaggle import container, credentials

SITE = {
    "slurm_account": "lab",
    "slurm_partition": "primary",
    "infer_heatmaps.slurm_partition": "gpu",
    "study_metrics.turn": "1",
}
SLURM = {"AccountingStorageType": "accounting_storage/slurmdbd", "MinJobAge": "300 sec"}


@pytest.fixture
def run(tmp_path) -> Run:
    image = tmp_path / "image.sif"
    image.touch()
    return Run("slurm", frozenset({"apptainer"}), str(image), resources=SITE, slurm=SLURM)


def only(run: Run, **changes: object) -> str:
    (sentence,) = problems(replace(run, **changes))
    return sentence


def test_a_complete_site_has_no_problem(run):
    assert problems(run) == []


def test_a_local_run_needs_neither_container_nor_account():
    assert problems(Run("local", frozenset(), "missing.sif")) == []


def test_container_off_on_a_cluster(run):
    assert "the container is off" in only(run, methods=frozenset())


def test_an_image_that_a_node_does_not_see(tmp_path):
    image = tmp_path / "image.sif"
    assert f"does not see the container image {image}" in deployment.unseen_image(f"{image}")
    image.touch()
    for name in (f"{image}", f"file://{image}", "docker://me/lstv:0.1.0"):
        assert deployment.unseen_image(name) == ""


def test_account_missing_left_blank_or_deliberately_none(run):
    without = {key: value for key, value in SITE.items() if key != "slurm_account"}
    assert "neither an account nor a QOS" in only(run, resources=without)
    assert problems(replace(run, resources=without, no_account=True)) == []
    assert "slurm_account is still FILL_IN" in only(run, resources={**SITE, "slurm_account": "'FILL_IN'"})


def test_device_cpu_with_a_gpu_asked_for(run):
    asked = {**SITE, "infer_heatmaps.gpu": "1"}
    assert problems(replace(run, resources=asked)) == []
    assert "localizer.device is cpu" in only(run, resources=asked, device="cpu")
    assert problems(replace(run, resources={**SITE, "infer_heatmaps.gpu": "0"}, device="cpu")) == []


def test_partition_left_blank_names_its_rule(run):
    asked = {**SITE, "infer_heatmaps.slurm_partition": deployment.FILL_IN}
    assert only(run, resources=asked).startswith("infer_heatmaps.slurm_partition is still FILL_IN")


QOS_SITE = {
    "qos": "primary",
    "infer_heatmaps.qos": "gpu",
    "infer_heatmaps.gpu": "0",
    "infer_heatmaps.gres": "gpu:1",
    "infer_heatmaps.constraint": "v100",
    "study_metrics.turn": "1",
}


def test_a_qos_alone_will_do(run):
    for no_account in (True, False):
        assert problems(replace(run, resources=QOS_SITE, no_account=no_account)) == []
    assert problems(replace(run, resources=QOS_SITE, qos=frozenset({"primary", "gpu", "normal"}))) == []


def test_a_qos_that_the_user_does_not_have(run):
    sentence = only(run, resources=QOS_SITE, qos=frozenset({"normal", "primary"}))
    assert sentence.startswith("the QOS gpu of profiles/slurm/config.yaml is not one of yours here")
    assert "normal, primary" in sentence
    assert only(run, resources={**QOS_SITE, "qos": deployment.FILL_IN}, qos=frozenset({"gpu"})).startswith(
        "qos is still"
    )


@pytest.mark.parametrize("gpu", ["1", None])
def test_a_gpu_asked_for_twice(run, gpu):
    asked = {key: value for key, value in QOS_SITE.items() if key != "infer_heatmaps.gpu"}
    asked |= {"infer_heatmaps.gpu": gpu} if gpu else {}
    assert "infer_heatmaps asks for a GPU by gres and by gpu" in only(run, resources=asked)


def test_set_resources_of_the_command_line_instead_of_the_profiles(run):
    replaced = {key: value for key, value in SITE.items() if "." not in key} | {"infer_heatmaps.runtime": "600"}
    assert "set-resources of the profile are not in force" in only(run, resources=replaced)


def test_no_accounting_database(run):
    none = {**SLURM, "AccountingStorageType": "accounting_storage/none"}
    without = {key: value for key, value in SITE.items() if key != "slurm_account"}
    assert "slurm-no-account: true" in only(run, slurm=none)
    assert "slurm-status-command: squeue" in only(
        run, slurm=none, resources=without, no_account=True, status_command="sacct"
    )
    assert problems(replace(run, slurm=none, resources=without, no_account=True)) == []


def test_a_qos_without_accounting_database(run):
    none = {**SLURM, "AccountingStorageType": "accounting_storage/none"}
    assert "no QOS" in only(run, slurm=none, resources=QOS_SITE, no_account=True)


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_the_qos_of_a_user(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deployment.allowed_qos("me") == frozenset()
    program(tmp_path, "sacctmgr", "echo 'normal,primary'; echo 'gpu,normal'; echo")
    assert deployment.allowed_qos("me") == {"normal", "primary", "gpu"}
    program(tmp_path, "sacctmgr", "echo 'no accounting' >&2; exit 1")
    assert deployment.allowed_qos("me") == frozenset()


def test_squeue_on_a_site_that_forgets_jobs_at_once(run):
    forgetful = {**SLURM, "MinJobAge": "60 sec"}
    assert "forgets jobs 60 sec after their end" in only(run, slurm=forgetful)
    assert problems(replace(run, slurm=forgetful, status_command="sacct")) == []
    assert problems(replace(run, slurm={})) == []


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ("nowhere/image.sif", "does not exist"),
        ("my images/image.sif", "blank"),
        ("docker://me/lstv", "no version"),
        ("docker://me/lstv:latest", "docker://me/lstv:0.1.0"),
        ("docker://registry:5000/lstv", "no version"),
    ],
)
def test_images_that_cannot_be_used(run, image, word):
    assert word in only(run, image=image)


def test_a_file_by_its_address_and_an_unpacked_image(run, tmp_path):
    assert problems(replace(run, image=f"file://{run.image}")) == problems(replace(run, image=str(tmp_path))) == []


@pytest.mark.parametrize("image", ["docker://me/lstv:0.1.0", "docker://registry:5000/me/lstv@sha256:0123"])
def test_images_with_a_version(run, image):
    assert problems(replace(run, image=image)) == []


def test_configuration_of_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert deployment.slurm_configuration() == {}
    program = tmp_path / "scontrol"
    program.write_text(
        "#!/bin/sh\necho 'Configuration data as of 2024'\necho 'AccountingStorageType   = accounting_storage/none'\n"
        "echo 'MinJobAge               = 300 sec'\n"
    )
    program.chmod(0o755)
    shown = deployment.slurm_configuration()
    assert shown == {"AccountingStorageType": "accounting_storage/none", "MinJobAge": "300 sec"}


def test_downloads_are_refused_in_a_job_with_the_command_for_the_login_node():
    environment = {deployment.MAIN_JOB: "--profile slurm --config source={download:\\ true} "}
    (sentence,) = deployment.refused_downloads(["fetch_images", "fetch_pointnet", "fetch_images"], environment)
    assert "(fetch_images, fetch_pointnet)" in sentence
    assert sentence.endswith("snakemake inputs --profile slurm --config source={download:\\ true}")
    assert deployment.refused_downloads([], environment) == []
    assert deployment.refused_downloads(["fetch_images"], {}) == []


# --- binds ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    return folder


def test_paths_in_the_project_need_nothing_but_the_project(project):
    assert bind_paths(project, ["data", "results", str(project / "data")]) == [str(project)]


def test_data_elsewhere_are_bound_read_only(project, tmp_path):
    outside = tmp_path / "with blanks" / "rsna"
    outside.mkdir(parents=True)
    (outside / "ids.npy").touch()
    expected = [str(project), f"{outside}:{outside}:ro"]
    for path in (outside, "../with blanks/rsna"):
        assert bind_paths(project, [path]) == expected
    ids = outside / "ids.npy"  # alone: its folder may be a home
    assert bind_paths(project, [ids]) == [str(project), f"{ids}:{ids}:ro"]


def test_a_link_is_bound_as_written_and_where_it_ends(project, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (project / "results").symlink_to(disk)
    assert bind_paths(project, [], ["results"]) == sorted([str(project), str(disk)])
    (tmp_path / "link").symlink_to(disk)
    link = tmp_path / "link"
    assert bind_paths(project, [link]) == [str(project), f"{disk}:{disk}:ro", f"{link}:{link}:ro"]


def test_what_is_written_wins_over_what_is_read(project, tmp_path):
    disk = tmp_path / "disk"
    (disk / "inner").mkdir(parents=True)
    assert bind_paths(project, [disk / "inner"], [disk]) == sorted([str(project), str(disk)])


def test_a_folder_inside_another_is_not_bound_twice(project, tmp_path):
    disk = tmp_path / "disk"
    (disk / "inner").mkdir(parents=True)
    assert bind_paths(project, [disk, disk / "inner"]) == [str(project), f"{disk}:{disk}:ro"]


def test_many_folders_become_the_one_that_they_share(project, tmp_path):
    series = [tmp_path / "archive" / str(number) / "series" for number in range(100)]
    for folder in series:
        folder.mkdir(parents=True)
    archive = tmp_path / "archive"
    assert bind_paths(project, series) == [str(project), f"{archive}:{archive}:ro"]


def test_paths_that_are_not_there_are_left_to_other_checks(project):
    assert bind_paths(project, ["/nowhere/at/all"]) == [str(project)]


def test_names_that_apptainer_cannot_bind_are_refused(project, tmp_path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    with pytest.raises(UserError, match="comma"):
        bind_paths(project, [folder])


def test_binds_join_those_of_the_user_and_the_jobs_gpu_is_passed_on():
    given = {"APPTAINER_BIND": "/scratch,/data", "CUDA_VISIBLE_DEVICES": "1"}
    made = container_environment(["/project", "/data"], given)
    assert made["APPTAINER_BIND"] == made["SINGULARITY_BIND"] == "/scratch,/data,/project"
    legacy = container_environment(["/project"], {"SINGULARITY_BIND": "/legacy"})
    assert legacy["APPTAINER_BIND"] == "/legacy,/project"  # Apptainer would not look at the other one
    assert made["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == made["SINGULARITYENV_CUDA_VISIBLE_DEVICES"] == "1"
    assert "APPTAINERENV_CUDA_VISIBLE_DEVICES" not in container_environment([], {})


def test_what_the_site_binds_by_its_other_name_is_kept_here_and_on_nodes(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    environment = {
        "APPTAINER_BINDPATH": f"{site},/login/only",
        "SINGULARITY_BINDPATH": f"{site}",
        "APPTAINER_BIND": "/own",
    }
    found = deployment.environment_for_nodes(["/project"], environment)
    deployment.enter(["/project"], environment)
    assert environment["APPTAINER_BIND"] == environment["SINGULARITY_BIND"] == f"/own,{site},/login/only,/project"
    assert "APPTAINER_BINDPATH" not in environment and "SINGULARITY_BINDPATH" not in environment
    node = {**found, "APPTAINER_BINDPATH": f"{site},/login/only"}
    deployment.enter_node(node)
    assert node["APPTAINER_BIND"] == str(site) and "APPTAINER_BINDPATH" not in node


def test_folders_to_be_written_may_be_yet_to_come(project, tmp_path):
    data = tmp_path / "disk" / "rsna"
    assert bind_paths(project, [data], [data]) == sorted([str(project), str(data)])
    deployment.make_bound([data])
    assert data.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/inner cannot be made"):
        deployment.make_bound([tmp_path / "file" / "inner"])


def test_links_in_a_folder_are_found(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert deployment.linked(tmp_path) == [str(tmp_path / "link")]
    assert deployment.linked(tmp_path / "nowhere") == []


def test_a_job_on_a_node_gets_the_binds_but_no_credentials(tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "login node only"
    here.mkdir()
    environment = {"APPTAINER_BIND": "/tmp", "PATH": "/bin"}
    found = deployment.environment_for_nodes([f"{here}:{here}:ro", f"{elsewhere}:{elsewhere}:ro"], environment)
    variables = {"KAGGLE_KEY": "s3cret", "https_proxy": "http://p"}
    environment.update(container_environment([str(here), "/home/me/.kaggle"], environment, variables))
    environment |= {**found, "CUDA_VISIBLE_DEVICES": "2"}
    deployment.enter_node(environment)
    assert environment["APPTAINER_BIND"] == environment["SINGULARITY_BIND"] == f"/tmp,{here}:{here}:ro"
    assert environment["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "2"
    assert not [name for name in environment if "KAGGLE" in name]


def test_variables_for_a_download_are_passed_on_beside_the_gpu():
    made = container_environment(["/project"], {"CUDA_VISIBLE_DEVICES": "1"}, {"https_proxy": "http://proxy:3128"})
    assert made["APPTAINERENV_https_proxy"] == made["SINGULARITYENV_https_proxy"] == "http://proxy:3128"
    assert made["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "1"


# --- what the container sees ------------------------------------------------------------------------------------------


@pytest.fixture
def apptainer(tmp_path, monkeypatch):
    """A pretended apptainer: ``answer(shell)`` is what it does with the words after ``exec``."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=":")

    def answer(text: str) -> None:
        (programs / "apptainer").write_text(f"#!/bin/bash\n{text}\n")
        (programs / "apptainer").chmod(0o755)

    return answer


RUN_IT = 'while [ "$1" != bash ]; do shift; done; '


def test_paths_that_the_container_does_not_see_are_named(run, apptainer, tmp_path):
    data = tmp_path / "the data"
    data.mkdir()
    apptainer(f'{RUN_IT} exec "$@"')
    assert deployment.cannot_be_seen(run.image, "--nv --bind '/a b'", [data, tmp_path / "nowhere"]) == []
    apptainer(f'printf "%s\\0" {str(data)!r}')
    (sentence,) = deployment.cannot_be_seen(run.image, "", [data])
    assert sentence.startswith(f"the container does not see {data}: add --bind '{data}' to apptainer-args")


def test_an_image_that_does_not_start_gives_its_reason(run, apptainer, tmp_path, monkeypatch):
    apptainer("echo 'INFO: trying' >&2; echo 'FATAL: kernel too old' >&2; exit 255")
    assert "does not start here (FATAL: kernel too old)" in deployment.cannot_be_seen(run.image, "", [tmp_path])[0]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "neither apptainer nor singularity" in deployment.cannot_be_seen(run.image, "", [tmp_path])[0]


def test_singularity_alone_will_do(run, apptainer, tmp_path, monkeypatch):
    apptainer(f'{RUN_IT} exec /bin/"$@"')
    (tmp_path / "bin/apptainer").rename(tmp_path / "bin/singularity")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert deployment.cannot_be_seen(run.image, "", [tmp_path]) == []


@pytest.mark.slow
def test_more_paths_than_a_command_line_takes(run, apptainer, tmp_path):
    apptainer(f'{RUN_IT} exec "$@"')
    folders = [tmp_path / f"{number:0200d}" for number in range(12_000)]
    for folder in folders:
        folder.mkdir()
    folders[7].rmdir()
    assert deployment.cannot_be_seen(run.image, "", folders) == []


def test_an_image_yet_to_be_pulled_is_not_started(apptainer, tmp_path):
    apptainer("exit 1")
    assert deployment.cannot_be_seen("docker://me/lstv:0.1.0", "", [tmp_path]) == []


# --- what a download needs in the container ---------------------------------------------------------------------------


def test_credentials_proxies_and_certificates_are_named_and_secrets_not_shown(tmp_path):
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle/kaggle.json").write_text("{}")
    bundle = tmp_path / "ca.pem"
    given = {"HOME": str(tmp_path), "https_proxy": "http://p", "LANG": "C", "REQUESTS_CA_BUNDLE": str(bundle)}
    found = container.needs(given)
    config = str(tmp_path / ".kaggle")
    assert found.variables == {
        "https_proxy": "http://p",
        "REQUESTS_CA_BUNDLE": str(bundle),
        "KAGGLE_CONFIG_DIR": config,
    }
    assert found.files == (bundle, Path(config))
    key = container.needs({**given, "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "s3cret"})
    assert key.variables["KAGGLE_KEY"] == "s3cret" and "s3cret" not in repr(key)
    assert key.files == (bundle,)  # the file is not used, so it is not shown


def test_a_token_file_of_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = container.needs({"HOME": str(tmp_path), "KAGGLE_API_TOKEN": "~/token"})
    assert found.variables == {"KAGGLE_API_TOKEN": str(tmp_path / "token")}
    assert found.files == (tmp_path / "token",)
    assert container.needs({}) == container.Needs()


FOLDERS = ("config", ".kaggle", "xdg/kaggle")
CONTENT = {"access_token": "t0ken", "kaggle.json": '{"username": "me", "key": "k3y"}'}
CONTENT["credentials.json"] = '{"refresh_token": "r3fresh"}'


@pytest.mark.parametrize(
    "variables", [{}, {"KAGGLE_USERNAME": "you", "KAGGLE_KEY": "other"}, {"KAGGLE_API_TOKEN": "a"}]
)
@pytest.mark.parametrize("where", list(itertools.product((None, *FOLDERS), repeat=3)))
def test_the_container_takes_the_credentials_that_this_machine_would(tmp_path, variables, where):
    """Every distribution of the three files over the three folders; in the container there is no home but one folder."""
    for (name, content), folder in zip(CONTENT.items(), where):
        if folder is not None:
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text(content)
    places = {"KAGGLE_CONFIG_DIR": f"{tmp_path}/config", "HOME": str(tmp_path), "XDG_CONFIG_HOME": f"{tmp_path}/xdg"}
    found = container.needs({**places, **variables})
    inside = {name: value for name, value in found.variables.items() if name != "KAGGLE_CONFIG_DIR"}
    if found.files:
        inside["KAGGLE_CONFIG_DIR"] = str(found.files[0])
    assert credentials.find(inside) == credentials.find({**places, **variables})


# --- one run at a time ------------------------------------------------------------------------------------------------

HOLD = "import sys, time; sys.path.insert(0, sys.argv[1]); from lstv.run import lock; from pathlib import Path;"
HOLD += "lock.hold(Path(sys.argv[2])); print('held', flush=True); time.sleep(60)"


def test_a_second_run_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    scripts = Path(deployment.__file__).parents[2]
    lock = tmp_path / ".snakemake" / "run.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(scripts), str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid} on .* is running"):
            hold(lock)
    finally:
        holder.kill()
        holder.communicate()
    hold(lock)


def test_a_lock_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(UserError, match="run.lock cannot be written"):
        hold(tmp_path / "run.lock")


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, capsys):
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("lstv.run.lock.fcntl.flock", refuse)
    hold(tmp_path / "run.lock")
    assert "has no locks (No locks available)" in capsys.readouterr().err
