"""Where jobs run: each in a place of its own inside the container; a check before the first, a sentence after the last."""

from snakemake.logging import logger

from lstv.base import atomic
from lstv.run import deployment, interruption, job_prefix, lock, software, summary, timers
from lstv_kaggle import container

shell.prefix(job_prefix.prefix(of_code("containers/job_environment.sh"), f"{ROOT}/scripts/" if IS_MODULE else None))


def growing(**values):
    """Resources that a retry gets twice, then three times of: ``mem_mb``, and ``runtime`` in minutes."""
    return {name: lambda wildcards, attempt, value=value: value * attempt for name, value in values.items()}


METHODS = frozenset(method.name.lower() for method in workflow.deployment_settings.deployment_method)
CONTAINED = "apptainer" in METHODS


if CONTAINED and deployment.container_program() is None:
    if not workflow.output_settings.dryrun:
        raise WorkflowError(deployment.NO_CONTAINER_PROGRAM)
    # the plan can be shown all the same; Snakemake would not make one
    logger.warning(f"No job could start: {deployment.NO_CONTAINER_PROGRAM}")
    workflow.deployment_settings.deployment_method = frozenset()


if CONTAINED and workflow.remote_exec and (unseen := deployment.unseen_image(IMAGE)):
    raise WorkflowError(unseen)


@functools.cache  # it looks at every folder of a sheet
def read_paths():
    """What jobs read and might lie outside the working directory."""
    return paths.read(CONFIG) if IN_PLACE else [*paths.read(CONFIG), str(ROOT)]


# Apptainer is told by variables what to show a job. What a download needs beside the data (credentials, proxies,
# certificates) is for this machine alone, where downloads run; jobs on a node take over what was found here.
if CONTAINED and workflow.remote_exec and deployment.FOR_NODES in os.environ:
    deployment.enter_node(os.environ)
elif CONTAINED:
    needed = container.needs(os.environ) if SOURCE["download"] and not workflow.remote_exec else container.Needs()
    try:
        deployment.show(os.environ, read_paths(), paths.written(CONFIG), needed.files, needed.variables)
    except UserError as error:
        raise WorkflowError(str(error))


PROFILE_RESOURCES = deployment.given_resources(workflow.resource_settings)

if workflow.output_settings.dryrun:
    for sentence in deployment.left_blank(PROFILE_RESOURCES):
        logger.warning(f"No job could start: {sentence}")


def image_file(image=IMAGE):
    """Where an image is on this machine, once Snakemake has pulled it."""
    pulled = workflow.dag.container_imgs.get(image)
    return pulled.path if pulled else image


def used_image(image):
    return software.image(image, Path(image_file(image).removeprefix("file://")))


def record_software():
    """Write down which software this run uses, once for all its jobs."""
    program = ["python", of_code("scripts/software_versions.py")]
    image, of_readers = None, {}
    if CONTAINED:
        program = deployment.in_container(image_file(), workflow.deployment_settings.apptainer_args or "", program)
        image = used_image(IMAGE)
        of_readers = {name: used_image(READERS.container(name)) for name in READERS.run}
    software.record(Path(SOFTWARE), ROOT, sys.argv, CONFIG, image, program, paths.private(CONFIG), of_readers)


def before_first_job():
    if IS_MODULE and not any("{input.script:q}" in (job.rule.shellcmd or "") for job in workflow.dag.needrun_jobs()):
        return  # all jobs are the other workflow's
    executor = workflow.executor_plugin.name
    slurm = deployment.of_slurm(PROFILE_RESOURCES, workflow.executor_settings) if executor == "slurm" else {}
    try:
        mistakes = deployment.problems(deployment.Run(executor, METHODS, IMAGE, LOCALIZER["device"], **slurm))
        fetching = [job.rule.name for job in workflow.dag.needrun_jobs() if "fetch_" in job.rule.name]
        mistakes += deployment.refused_downloads(fetching, os.environ)
        if CONTAINED and not mistakes:
            # Apptainer does not start where a folder to be bound is missing
            deployment.make_bound(paths.written(CONFIG))
            given = workflow.deployment_settings.apptainer_args or ""
            mistakes = deployment.cannot_be_seen(image_file(), given, [os.getcwd(), *read_paths()])
        if mistakes:
            raise UserError("\n".join(["No job was started.", *mistakes]))
        lock.hold(Path(".snakemake/run.lock"))
        interruption.watch()
        record_software()
        if not MADE_BY.exists():
            changed.keep(MADE_BY, CONFIG)
        for folder in (RESULTS, *deployment.folders(RESULTS)):
            atomic.remove_leftovers(Path(folder))
    except UserError as error:
        raise WorkflowError(str(error))


def after_last_job():
    if any(job.rule.name.endswith("cohort_report") for job in workflow.dag.jobs):
        changed.keep(MADE_BY, CONFIG)
        if (last := summary.of_results(RESULTS, evaluated=bool(paths.labels(CONFIG)))) is not None:
            print(last)
    cancel_rate_limit()


def after_failure():
    if (asked := interruption.sentence()) is not None:
        print(asked)
    cancel_rate_limit()


def cancel_rate_limit():
    """Snakemake's limit of jobs a second leaves a timer that keeps its process for up to a second after the last job."""
    timers.cancel("snakemake.scheduling.job_scheduler")


def beside_main(event, ours):
    """Call ``ours`` at an event of the workflow that took this one as a module, before what that one does there: a module's
    own onstart, onsuccess and onerror are not called."""
    register, theirs = getattr(workflow, event), getattr(workflow, f"_{event}")

    def both(then):
        return lambda log: (ours(), then(log))

    setattr(workflow, f"_{event}", both(theirs))
    setattr(workflow, event, lambda then: register(both(then)))  # where it is declared after the module


onstart:
    before_first_job()


onsuccess:
    after_last_job()


onerror:
    after_failure()


if IS_MODULE:
    beside_main("onstart", before_first_job)
    beside_main("onsuccess", after_last_job)
    beside_main("onerror", after_failure)
