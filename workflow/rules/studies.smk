"""Which studies there are, which batch each is in, and which of a batch's files are no longer what they were."""

from lstv.base import manifest
from lstv.bids import exported as bids_manifest


@functools.cache
def studies():
    """Fingerprint of every selected study by its id; known before any job runs, unless it must be fetched or scanned."""
    if SOURCE["kind"] in paths.SCANNED:
        getattr(checkpoints, f"scan_{SOURCE['kind']}").get()
    if SOURCE["download"]:
        checkpoints.fetch_series_table.get()
    try:
        known = known_studies.known_studies(DEMO_STUDIES if SOURCE["kind"] == "demo" else SOURCE_TABLE)
        return selection.selected(known, selection.Selection(**SELECTION), SOURCE["valid_ids"])
    except UserError as error:
        raise WorkflowError(error.worded(functools.partial(settings.key_of, CONFIG)))


if SOURCE["kind"] not in paths.SCANNED and not SOURCE["download"]:
    studies()  # all is known now: mistakes in the tables come before any job


def batch_count(wildcards=None):
    return batching.batch_count(len(studies()), LOCALIZER["batch_studies"])


@functools.cache
def batches():
    """Study ids of every inference batch by its name."""
    by_batch = {}
    for study in studies():
        by_batch.setdefault(batching.batch_of(study, batch_count()), []).append(study)
    return by_batch


def batch_fingerprint(wildcards):
    """Changes when the studies of a batch change, so that only the batches concerned run again."""
    return [f"{study}:{studies()[study]}" for study in batches()[wildcards.batch]]


def unknown_batch(wildcards):
    """For a batch that there is not the sentence that says so, which is reported as a missing file, in one line; an exception
    would show a traceback."""
    return [] if wildcards.batch in batches() else f"{RESULTS} has no batch of the name {wildcards.batch}"


def heatmaps_of(wildcards):
    if wildcards.study not in studies():
        # reported as a missing file, in one line; an exception here would show a traceback
        return f"study {wildcards.study} is not among the {len(studies())} selected studies of {RESULTS}"
    return f"{RESULTS}/heatmaps/{batching.batch_of(wildcards.study, batch_count())}.h5"


def manifest_of(wildcards):
    heatmaps = heatmaps_of(wildcards)  # for an unknown study the sentence that says so
    return f"{RESULTS}/metrics/{Path(heatmaps).stem}.csv" if wildcards.study in studies() else heatmaps


def manifest_files(wildcards):
    return [f"{RESULTS}/metrics/{batch}.csv" for batch in batches()]


def heatmap_files(wildcards):
    return [f"{RESULTS}/heatmaps/{batch}.h5" for batch in batches()]


@functools.cache
def metrics_files():
    return manifest.Folder(Path(f"{RESULTS}/studies"))


def heatmaps_to_measure(wildcards):
    """The batch's heatmaps. Where metrics files are gone or no longer those of the manifest, the batch is planned again:
    Snakemake itself watches the manifest only."""
    written = f"{RESULTS}/metrics/{wildcards.batch}.csv"
    if not workflow.remote_exec and metrics_files().altered(Path(written)):
        workflow.dag.forcefiles.add(written)
    return f"{RESULTS}/heatmaps/{wildcards.batch}.h5"


def page_files(ending):
    """A file with this ending of each batch of pages."""
    return lambda wildcards: [f"{RESULTS}/page_files/{batch}.{ending}" for batch in batches()]


@functools.cache
def pages_folder():
    return manifest.Folder(Path(f"{RESULTS}/pages/studies"), (".html", ".js"))


def pages_to_write(wildcards):
    """The batch's part of the study sheet. Where pages are gone or no longer those of the manifest, the batch is planned
    again: Snakemake itself watches the manifest only."""
    written = f"{RESULTS}/page_files/{wildcards.batch}.csv"
    if not workflow.remote_exec and pages_folder().altered_files(Path(written)):
        workflow.dag.forcefiles.add(written)
    return f"{RESULTS}/heatmaps/{wildcards.batch}.csv"


def few_batches_threads(wildcards):
    """Of a few batches each takes several cores; many fill them side by side."""
    return min(MOST_THREADS_OF_A_BATCH, max(1, THREADS_OF_FEW_BATCHES // len(batches())))


def sheet_to_export(wildcards):
    """The batch's sheet. Where an image is gone or no longer the one that was written, the batch is exported again."""
    written = f"{RESULTS}/bids_manifests/{wildcards.batch}.csv"
    if not workflow.remote_exec and bids_manifest.altered(Path(written), Path(f"{RESULTS}/bids")):
        workflow.dag.forcefiles.add(written)
    return f"{RESULTS}/heatmaps/{wildcards.batch}.csv"
