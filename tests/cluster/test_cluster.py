"""The workflow on a real SLURM with every rule in a real image, as an unprivileged user; and what is left after faults."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster_site import CACHE, ROOT, STRICT, USER, Cluster, Job, Project, kill, run, say, wait_for

import dicom_export
from slurm_profile import PARTS, UNFINISHED_BYTECODE

TABLE = "lstv_uncertainty_metrics.csv"
# what comes after inference; a copy of the finished demo without it has something left to do
AFTERWARDS = ("studies", TABLE, "review_queue.csv", "review_queue.json", "report.html")
# what tests of faults in inference ask for: what follows the table is the same in every run, and takes as long as inference
UP_TO_TABLE = (f"results/demo/{TABLE}",)
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


@dataclass
class Run:
    project: Project
    output: str
    jobs: list[Job]
    local_table: bytes

    @property
    def table(self) -> bytes:
        return self.project.results(TABLE).read_bytes()


def local_copy(target: Path) -> subprocess.Popen:
    """Start the demo without SLURM and without a container."""
    ignored = shutil.ignore_patterns(UNFINISHED_BYTECODE, "pointnet", "*.sif")
    for part in PARTS:
        shutil.copytree(ROOT / part, target / part, ignore=ignored)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    with open(target / "run.log", "w") as log:
        return subprocess.Popen(command, cwd=target, env=environment, stdout=log, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def demo(cluster: Cluster, tmp_path_factory) -> Run:
    """The demo cohort through sbatch, and the same without SLURM and image for comparison."""
    local = tmp_path_factory.mktemp("local") / "project"
    process = local_copy(local)
    project = cluster.project("demo")
    start = time.time()
    done = project.snakemake(timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    assert process.wait(timeout=600) == 0, (local / "run.log").read_text()[-6000:]
    jobs = cluster.jobs(start)
    say(f"demo through sbatch in {time.time() - start:.0f} s with {len(jobs)} submissions")
    return Run(project, done.stdout, jobs, (local / "results/demo" / TABLE).read_bytes())


@pytest.fixture
def unfinished(demo: Run, cluster: Cluster, request) -> Project:
    """A copy of the finished demo that has lost all inference but the first batch's, and everything after it."""
    project = cluster.project(request.node.name, base=demo.project.root)
    for batch in heatmaps(project)[1:]:
        batch.unlink()
    for name in AFTERWARDS:
        path = project.results(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return project


def heatmaps(project: Project) -> list[Path]:
    return sorted(project.results("heatmaps").glob("*.h5"))


def test_image_can_do_its_work_as_an_unprivileged_user_without_home(cluster):
    command = cluster.as_user("apptainer", "exec", *STRICT.split(), str(cluster.sif), "lstv-health-check")
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120)
    assert done.returncode == 0 and "healthy" in done.stdout, done.stderr
    say(f"image: {done.stdout.splitlines()[0]}")


def test_table_is_byte_for_byte_that_of_a_local_run(demo):
    assert demo.table == demo.local_table
    say(f"cohort table of {len(demo.table)} bytes is the same byte for byte, sbatch in the image and local without")


def test_every_job_ran_in_the_image_and_cleaned_up(demo):
    logs = list((demo.project.root / "results/slurm_logs").rglob("*.log"))
    assert len(logs) == len(demo.jobs)
    for log in logs:
        assert f"Activating singularity image {demo.project.cluster.sif}" in log.read_text(), log
    assert list((demo.project.root / ".snakemake/jobs").iterdir()) == []


def test_only_inference_runs_on_the_gpu_partition_with_its_gres(demo):
    inference = [job for job in demo.jobs if job.what.startswith("rule_infer_heatmaps")]
    others = [job for job in demo.jobs if job not in inference]
    assert inference and others
    assert all(job.partition == "gpu" and "gres/gpu=1" in job.asked for job in inference), inference
    assert all(job.partition == "primary" and "gres/gpu" not in job.asked for job in others), others
    metrics = [job for job in demo.jobs if "study_metrics" in job.what]
    assert len(metrics) == 1, "the metrics of all studies are one submission"


def test_a_qos_that_the_user_does_not_have_is_refused_before_the_first_job(unfinished, cluster):
    unfinished.as_delivered()
    profile = unfinished.root / "profiles/slurm/config.yaml"
    profile.write_text(profile.read_text().replace("  qos: primary ", "  qos: night ", 1))
    start = time.time()
    done = unfinished.snakemake()
    assert done.returncode != 0 and "the QOS night of" in done.stdout, done.stdout[-3000:]
    assert "gpu, normal, primary" in done.stdout and cluster.jobs(start) == []


def test_snakemake_itself_as_a_job_on_a_site_where_jobs_ask_for_a_qos(unfinished, demo, cluster):
    """The profile as it is delivered: QOS, --gres and a constraint; neither account nor partition."""
    unfinished.as_delivered()
    start = time.time()
    number = unfinished.submit()
    wait_for(lambda: cluster.state(number) in ENDED, 900, "end of the main job")
    log = unfinished.results(f"../slurm_main_{number}.log").read_text()
    assert cluster.state(number) == "COMPLETED" and "Report: results/demo/report.html" in log, log[-6000:]
    jobs = cluster.jobs(start)
    inference = [job for job in jobs if job.what.startswith("rule_infer_heatmaps")]
    others = [job for job in jobs if job not in inference]
    assert inference and all(job.qos == "gpu" and "gres/gpu=1" in job.asked for job in inference), inference
    assert len(others) > 4, "the main job, metrics, table, queue, pages and report"
    assert all(job.qos == "primary" and "gres/gpu" not in job.asked for job in others), others
    assert unfinished.results(TABLE).read_bytes() == demo.local_table
    say(f"Snakemake as a job ended in the report; {len(jobs)} submissions by QOS: gpu, primary")


def test_near_its_time_limit_the_main_job_goes_back_into_the_queue_and_resumes(unfinished, demo, cluster):
    """The first job hangs; SLURM's signal comes about a minute before the main job's two minutes are over."""
    with open(unfinished.root / "containers/job_environment.sh", "a") as script:
        script.write("if mkdir .snakemake/fault-time 2>/dev/null; then sleep 600; fi\n")
    number = unfinished.submit("--time=2", "--signal=B:USR1@60", arguments=UP_TO_TABLE)
    file = unfinished.results(f"../slurm_main_{number}.log")
    wait_for(lambda: file.is_file() and "the time limit is near" in file.read_text(), 180, "SLURM's signal")
    wait_for(lambda: number in cluster.queued("", "PENDING"), 180, "the return into the queue")
    # SLURM would let it wait for two minutes there; started within the second in which it went back, its credential counts
    # as revoked and it is killed
    cluster.slurm("scontrol", "update", f"jobid={number}", "starttime=now+5", "timelimit=20")
    wait_for(lambda: "start 2 on" in file.read_text(), 240, "the second start")
    wait_for(lambda: cluster.state(number) in ENDED, 600, "the end of the main job")
    assert cluster.state(number) == "COMPLETED", file.read_text()[-6000:]
    assert unfinished.results(TABLE).read_bytes() == demo.local_table
    say("the main job went back into the queue near its time limit and ended in the table")


def test_drained_node_cancelled_job_and_killed_main_process(unfinished, demo, cluster):
    kept = heatmaps(unfinished)[0]
    before = kept.stat().st_mtime_ns
    node = cluster.slurm("hostname", "-s").strip()
    cluster.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        process = unfinished.start(*UP_TO_TABLE)
        wait_for(lambda: cluster.queued("rule_infer_heatmaps", "PENDING"), 90, "submission to a drained node")
    finally:
        cluster.slurm("scontrol", "update", f"nodename={node}", "state=resume")
    first = wait_for(lambda: cluster.queued("rule_infer_heatmaps", "RUNNING"), 90, "inference after the drain")[0]
    cluster.slurm("scancel", first)
    say(f"drained the node, resumed it, cancelled job {first}")
    wait_for(lambda: "Trying to restart" in unfinished.log(), 120, "another try of the cancelled job")
    wait_for(lambda: cluster.queued("rule_infer_heatmaps", "RUNNING"), 120, "inference, another try")
    kill(process)
    say("killed the main process with SIGKILL while inference was running")

    done = unfinished.snakemake(*UP_TO_TABLE, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    assert unfinished.results(TABLE).read_bytes() == demo.local_table
    assert kept.stat().st_mtime_ns == before, "inference that was finished ran again"


def test_a_node_that_does_not_see_the_image_says_so_and_the_same_command_goes_on(unfinished, demo, cluster):
    """The image is there where Snakemake runs, and gone when the jobs start, as on a node without that file system."""
    image = unfinished.root / "containers/image.sif"
    image.symlink_to(cluster.sif)
    configuration = unfinished.root / "config/config.yaml"
    configuration.write_text(configuration.read_text().replace(str(cluster.sif), "containers/image.sif"))
    node = cluster.slurm("hostname", "-s").strip()
    cluster.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        process = unfinished.start(*UP_TO_TABLE, "--retries", "0")
        wait_for(lambda: cluster.queued("rule_infer_heatmaps", "PENDING"), 90, "submission to a drained node")
        image.unlink()
    finally:
        cluster.slurm("scontrol", "update", f"nodename={node}", "state=resume")
    assert process.wait(timeout=300) != 0
    logs = [path.read_text() for path in unfinished.results("../slurm_logs").rglob("*.log")]
    said = [line for text in logs for line in text.splitlines() if "does not see the container image" in line]
    assert len(said) == 3 and "containers/image.sif" in said[0], logs
    assert "/slurm_logs/rule_infer_heatmaps/" in unfinished.log(), "where to read that"
    say(f"on a node without the image: {said[0].strip()}")

    image.symlink_to(cluster.sif)
    done = unfinished.snakemake(*UP_TO_TABLE, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    assert unfinished.results(TABLE).read_bytes() == demo.local_table


FAULTS = """
if mkdir .snakemake/fault-time 2>/dev/null; then sleep 600; fi
if mkdir .snakemake/fault-memory 2>/dev/null; then python -c 'import time; full = b"x" * (3 << 30); time.sleep(60)'; fi
"""


def test_time_limit_and_full_memory_end_in_another_try(unfinished, demo, cluster):
    """The first job hangs until its time is up, the second takes more memory than it asked for."""
    with open(unfinished.root / "containers/job_environment.sh", "a") as script:
        script.write(FAULTS)
    profile = unfinished.root / "profiles/slurm/config.yaml"
    text = profile.read_text()
    asked = "    gpu: 1 # the rule's"  # of the GPU rule
    assert asked in text
    text = text.replace(asked, f"    mem_mb: 1500 * attempt\n    runtime: 1\n{asked}", 1)
    profile.write_text(text)
    node_log = cluster.folder / "slurmd.log"
    start, known = time.time(), node_log.stat().st_size
    done = unfinished.snakemake(*UP_TO_TABLE, timeout=900)
    states = [job.state.split()[0] for job in cluster.jobs(start)]
    say(f"states of the jobs: {', '.join(states)}")
    assert done.returncode == 0, done.stdout[-6000:]
    assert "TIMEOUT" in states
    # without cgroups SLURM kills the step itself, and calls the job FAILED instead of OUT_OF_MEMORY
    assert "exceeded memory limit" in node_log.read_text()[known:]
    assert unfinished.results(TABLE).read_bytes() == demo.local_table


ONLY_HERE = """
mount --make-rprivate /
mount --bind "$1" "$1"
for place in / /dev/shm /tmp /var /var/tmp /var/cache /run /home /root /opt /srv; do
    if mountpoint -q "$place"; then mount -o remount,ro,bind "$place"; fi
    if touch "$place/written" 2>/dev/null; then echo "$place can be written to" >&2 && exit 9; fi
done
cd "$1" && shift
exec "$@"
"""


def test_nothing_is_written_outside_the_project_and_its_temporary_folder(cluster):
    """Every file system is read-only but for the project folder, with TMPDIR and Snakemake's own cache in it."""
    project = cluster.project("alone on a read-only machine")
    studies = project.root / "resources/demo/studies.csv"
    studies.write_text("".join(studies.read_text().splitlines(keepends=True)[:3]))
    for name in ("tmp", "cache"):
        (project.root / name).mkdir()
    run("chown", "-R", f"{USER}:", project.root)
    places = (
        f"TMPDIR={project.root}/tmp",
        f"XDG_CACHE_HOME={project.root}/cache",
        f"MPLCONFIGDIR={project.root}/cache",
    )
    options = ("--software-deployment-method", "apptainer", "--apptainer-args", STRICT)
    command = cluster.as_user("env", *places, "snakemake", "--profile", "profiles/local", *options)
    alone = ["unshare", "--mount", "bash", "-euc", ONLY_HERE, "alone", str(project.root), *command]
    done = subprocess.run(alone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
    assert project.results("report.html").is_file()
    # Snakemake's solver may leave a file of its own there
    assert [path.name for path in (project.root / "tmp").iterdir() if not path.name.endswith("-pulp.mps")] == []
    assert list((project.root / ".snakemake/jobs").iterdir()) == []


def test_run_that_would_leave_the_container_does_not_start(unfinished, cluster):
    start = time.time()
    done = unfinished.snakemake("--software-deployment-method", "env-modules")
    assert done.returncode != 0 and "the container is off" in done.stdout
    missing = unfinished.snakemake("--config", "container=nowhere.sif")
    assert missing.returncode != 0 and "nowhere.sif does not exist" in missing.stdout
    assert cluster.jobs(start) == []


def test_data_behind_links_and_blanks_is_found_in_the_container(demo, cluster):
    """Not through SLURM: the binds are made where the rules run, in the same way everywhere."""
    elsewhere = cluster.project("data elsewhere", base=demo.project.results("dicom")).root
    project = cluster.project("paths")
    link = project.root.parent / "link to data"
    link.unlink(missing_ok=True)
    link.symlink_to(elsewhere)
    (project.root / "net.pth").write_bytes((ROOT / "resources/demo/pointnet_demo.pth").read_bytes())
    ids = [row["study_id"] for row in csv.DictReader(demo.table.decode().splitlines()) if row["status"] == "ok"][:2]
    (project.root / "ids.txt").write_text("\n".join(ids))
    (project.root / "linked.yaml").write_text(
        f"cohort: linked\nsource: {{kind: rsna, path: '../{link.name}', valid_ids: ids.txt}}\n"
        "localizer: {checkpoint: net.pth}\nselection: {mode: list, list: ids.txt}\n"
    )
    options = ["--software-deployment-method", "apptainer", "--apptainer-args", STRICT, "--configfile", "linked.yaml"]
    command = cluster.as_user("snakemake", f"results/linked/{TABLE}", "--profile", "profiles/local", *options)
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
    rows = csv.DictReader(project.results(TABLE, "linked").read_text().splitlines())
    assert [row["study_id"] for row in rows if row["status"] == "ok"] == ids
    # the same series in a sheet: of which nothing tells whether the point net was trained on it, that is refused in time,
    # though the container would not see where they lie
    sheet = csv.DictReader(project.results("study_sheet.csv", "linked").read_text().splitlines())
    folders = {row["study_id"]: row["series_dir"] for row in sheet}
    lines = [f"{ids[0]},{folders[ids[0]]},validation", f"{ids[1]},{folders[ids[1]]},"]
    (project.root / "sheet.csv").write_text("\n".join(["study_id,series_dir,split", *lines]) + "\n")
    (project.root / "linked.yaml").write_text(
        "cohort: sheet\nsource: {kind: sheet, path: sheet.csv}\nlocalizer: {checkpoint: net.pth}\n"
    )
    command[command.index(f"results/linked/{TABLE}")] = f"results/sheet/{TABLE}"
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and f"of study {ids[1]} its series lies in the RSNA 2024 images" in done.stderr, (
        done.stderr
    )
    assert not project.results("", "sheet").exists()


def test_an_export_with_zip_files_is_scanned_and_analysed_in_the_container(demo, cluster):
    """Lists of files and unpacked series are written by one container and read by another; the key lies in the home."""
    with open(demo.project.results("dicom/train_series_descriptions.csv"), newline="") as stream:
        t2 = [row for row in csv.DictReader(stream) if row["series_description"] == "Sagittal T2/STIR"][:5]
    series = {row["study_id"]: row["series_id"] for row in t2}
    project = cluster.project("folder")
    place = project.root.parent / "patients' export"
    home = CACHE / "home/folder of keys"
    for folder in (place, home):
        shutil.rmtree(folder, ignore_errors=True)
    export = dicom_export.make(demo.project.results("dicom/train_images"), series, place)
    (project.root / "net.pth").write_bytes((ROOT / "resources/demo/pointnet_demo.pth").read_bytes())
    (project.root / "folder.yaml").write_text(
        f'cohort: folder\nsource: {{kind: folder, path: "../{place.name}", key: "~/{home.name}/key"}}\n'
        "localizer: {checkpoint: net.pth, members: full}\n"
    )
    options = ["--software-deployment-method", "apptainer", "--apptainer-args", STRICT, "--configfile", "folder.yaml"]
    command = cluster.as_user("snakemake", "--profile", "profiles/local", *options)
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
    assert (home / "key").stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(project.results(TABLE, "folder").read_text().splitlines()))
    there = {row["study_id"]: row for row in csv.DictReader(demo.table.decode().splitlines())}
    assert sorted(row["l5_s1_entropy"] for row in rows if row["status"] == "ok") == sorted(
        there[study]["l5_s1_entropy"] for study in export.whole
    )
    assert [row["status"] for row in rows].count("failed") == len(export.failing)
    assert dicom_export.told(project.root / "results", export.secrets) == []


ELSEWHERE = """
cohort: alone
source: {{kind: demo}}
selection: {{mode: trial, trial_studies: 2}}
localizer: {{checkpoint: resources/demo/pointnet_demo.pth, members: centre}}
container: {image}
"""
MODULE = """
configfile: "config/config.yaml"


module lstv:
    snakefile: "{code}/workflow/Snakefile"
    config: config | {{"cohort": "module"}}


use rule * from lstv
"""


def test_the_code_outside_the_working_directory_is_seen_by_jobs_in_the_container(demo, cluster):
    """From a working directory that holds a configuration only, and as a module of another workflow; both at once."""
    code = demo.project.root
    start = time.time()
    quick = demo.project.command()[3:]
    runs = {}
    for cohort, options in (("alone", ["--snakefile", code / "workflow/Snakefile"]), ("module", [])):
        work = cluster.folder_of_user(f"elsewhere-{cohort}")
        (work / "config").mkdir()
        (work / "config/config.yaml").write_text(ELSEWHERE.format(image=cluster.sif))
        if not options:
            (work / "Snakefile").write_text(MODULE.format(code=code))
        run("chown", "-R", f"{USER}:", work)
        command = cluster.as_user("snakemake", "--profile", f"{code}/profiles/slurm", *map(str, options), *quick)
        with open(work / "run.log", "w") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            runs[cohort] = work, subprocess.Popen(command, cwd=work, start_new_session=True, **streams)
    tables = []
    try:
        for cohort, (work, process) in runs.items():
            status = process.wait(timeout=600)
            output = (work / "run.log").read_text()
            assert status == 0 and f"Report: results/{cohort}/report.html" in output, output[-6000:]
            tables.append((work / "results" / cohort / TABLE).read_bytes())
    finally:
        for _, process in runs.values():
            if process.poll() is None:
                kill(process)
    assert tables[0] == tables[1]
    assert [row["status"] for row in csv.DictReader(tables[0].decode().splitlines())].count("ok") == 2
    assert len(cluster.jobs(start)) > 10
    say("the code elsewhere: by --snakefile from a working directory, and as a module, the same table")


def test_without_accounting_database_it_says_what_to_set_and_then_works(demo, cluster):
    project = cluster.project("without-accounting", base=demo.project.root)
    project.results("report.html").unlink()  # one job is enough to see that jobs are submitted and followed
    profile = project.root / "profiles/slurm/config.yaml"
    cluster.restart("none")
    try:
        done = project.snakemake()
        assert done.returncode != 0 and "slurm-no-account: true" in done.stdout, done.stdout[-3000:]
        text = profile.read_text().replace("  slurm_account: lab", "  # slurm_account")
        profile.write_text(text.replace("# slurm-no-account: true", "slurm-no-account: true"))
        done = project.snakemake()
        assert done.returncode == 0, done.stdout[-6000:]
        assert project.results("report.html").is_file()
    finally:
        cluster.restart("slurmdbd")
