"""Checked configuration and what the rules ask of it. Everything that can be tested alone stands in scripts/lstv."""

import functools

import yaml

from lstv.base import ids
from lstv.base.cli import options
from lstv.base.errors import UserError
from lstv.cohort import batches as batching, known_studies, rsna_layout, selection
from lstv.run import arguments, changed, checks, paths, settings, targets
from lstv.run.dependencies import library_files

try:
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    CONFIG = settings.checked(config, schema, code=ROOT, in_job=workflow.remote_exec)
    if workflow.is_main_process:  # now, so that no second run is planned beside this one
        targets.begin(sys.argv, None if IS_MODULE else CONFIG["cohort"])
except UserError as error:
    raise WorkflowError(str(error))

SOURCE, LOCALIZER, SELECTION = CONFIG["source"], CONFIG["localizer"], CONFIG["selection"]
RESULTS = paths.results(CONFIG)
SOFTWARE = f"{RESULTS}/software_versions.yml"
SOURCE_TABLE = paths.source_table(CONFIG)
MADE_BY = changed.record_of(CONFIG["cohort"])
DEMO_STUDIES = of_code("resources/demo/studies.csv")
IMAGE = CONFIG["container"]
MOST_WORKERS = 16
MOST_THREADS_OF_A_BATCH, THREADS_OF_FEW_BATCHES = 4, 16

if workflow.is_main_process and (workflow.output_settings.dryrun or targets.runs_jobs(sys.argv)):
    for line in filter(None, (f"Cohort: {RESULTS}", changed.sentence(MADE_BY, RESULTS, CONFIG))):
        print(line, file=sys.stderr)


wildcard_constraints:
    study=ids.STUDY_ID,
    batch=ids.STUDY_ID,


# --- scripts as inputs, so that an edit reruns what it should ---------------------------------------------------------


@functools.cache
def script(name):
    """``script=`` the program and ``lib=`` the library files that it imports, directly or not."""
    program = f"scripts/{name}.py"
    return {
        "script": of_code(program),
        "lib": [of_code(str(path.relative_to(ROOT))) for path in library_files(ROOT / program)],
    }


# --- what the rules take ----------------------------------------------------------------------------------------------


def downloaded(name):
    """A file of the downloaded RSNA folder; without a download a name that nothing asks for."""
    return f"{SOURCE['path'] if SOURCE['download'] else 'resources/no-download'}/{name}"


def batch_source():
    return SOURCE_TABLE if SOURCE["kind"] == "demo" or SOURCE["download"] else ancient(SOURCE_TABLE)


def fetched_images():
    return [f"{RESULTS}/kaggle/manifest.csv"] if SOURCE["download"] else []


def pages_arguments():
    return options(title=CONFIG["cohort"], show_ids="yes" if CONFIG["report"]["show_ids"] else "no")


def second_reader_table():
    """The table of the second readers, where there are any."""
    return [f"{RESULTS}/second_reader/second_reader.csv"] if checks.second_readers(CONFIG) else []


# --- what the targets need --------------------------------------------------------------------------------------------
def final_outputs():
    """Everything the configuration asks for, and all that it fetches, so that a plan shows it before a checkpoint."""
    wanted = ["lstv_uncertainty_metrics.csv", "review_queue.csv", "report.html", "failures.json"]
    if CONFIG["report"]["pages"] != "none":
        wanted.append("pages/index.html")
    if paths.labels(CONFIG):
        wanted += ["evaluation/evaluation.json", "evaluation/evaluation.html"]
    fetched = [LOCALIZER["checkpoint"]] if SOURCE["download"] else []
    return [*fetched, *(f"{RESULTS}/{name}" for name in wanted)]


def acquired_inputs():
    """What must be there before any analysis."""
    return [LOCALIZER["checkpoint"], SOURCE_TABLE, *fetched_images()]
