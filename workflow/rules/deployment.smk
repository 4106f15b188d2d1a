"""Where jobs run: each in a place of its own inside the container, and a check before the first one."""

from lstv import deployment, single_run
from lstv.kaggle import contained

# Every rule's command begins with this, inside the container where there is one.
shell.prefix(". containers/job_environment.sh; ")


def read_paths():
    """What rules read and might lie outside the project folder; a container must be shown it."""
    names = [SOURCE["path"], SOURCE["valid_ids"], SOURCE["choices"], LOCALIZER["checkpoint"], LOCALIZER["centroids"]]
    names += [SELECTION["list"], CONFIG["reference"]["features"], CONFIG["evaluation"]["labels"]]
    if SOURCE["kind"] in ("rsna", "folder"):
        images = os.path.join(SOURCE["path"], cohort.IMAGES if SOURCE["kind"] == "rsna" else "")
        names += [images, *deployment.linked(images)]
    if SOURCE["kind"] == "sheet":
        names += [row.get("series_dir") for row in cohort.read_table(Path(SOURCE["path"]), ())]
    return [name for name in names if name]


def written_paths():
    """Folders that rules write to; they are often links to a larger disk."""
    names = ["results", RESULTS, "resources", "resources/private", ".snakemake"]
    if SOURCE["kind"] == "folder":
        names += [os.path.dirname(name) for name in (SOURCE["key"], SOURCE["mapping"]) if name]
    if SOURCE["download"]:
        names += [SOURCE["path"], os.path.dirname(settings.FETCHED[0])]
    return [name for name in names if name]


# A download inside the container needs what the container is otherwise kept from: credentials, proxies, certificates.
DOWNLOAD = contained.needs(os.environ) if SOURCE["download"] else contained.Needs()

try:
    BINDS = deployment.bind_paths(os.getcwd(), [*read_paths(), *DOWNLOAD.files], written_paths())
except UserError as error:
    raise WorkflowError(str(error))
# Apptainer reads these here and in every cluster job, which reads this file again.
os.environ.update(deployment.container_environment(BINDS, os.environ, DOWNLOAD.variables))


def profile_resources():
    """Values of default-resources and set-resources as text, by key and by rule.key."""
    asked = workflow.resource_settings
    found = {key: str(value.raw) for key, value in (asked.default_resources or {}).items()}
    for rule, values in asked.overwrite_resources.items():
        found.update({f"{rule}.{key}": str(value.raw) for key, value in values.items()})
    return found


def slurm_settings():
    """What ``deployment.Run`` wants to know of a run on SLURM."""
    return {
        "resources": profile_resources(),
        "no_account": workflow.executor_settings.no_account,
        "status_command": workflow.executor_settings.status_command,
        "slurm": deployment.slurm_configuration(),
    }


onstart:
    executor = workflow.executor_plugin.name
    methods = frozenset(method.name.lower() for method in workflow.deployment_settings.deployment_method)
    asked = deployment.Run(executor, methods, IMAGE, **(slurm_settings() if executor == "slurm" else {}))
    try:
        mistakes = deployment.problems(asked)
        if "apptainer" in methods and not mistakes:
            deployment.make_bound(written_paths())  # Apptainer does not start where a folder to be bound is missing
            arguments = workflow.deployment_settings.apptainer_args
            mistakes = deployment.cannot_be_seen(IMAGE, arguments, [os.getcwd(), *read_paths()])
        if mistakes:
            raise UserError("\n".join(["No job was started.", *mistakes]))
        single_run.hold(Path(".snakemake/run.lock"))
    except UserError as error:
        raise WorkflowError(str(error))
