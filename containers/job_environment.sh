# Sourced before every rule's command (shell.prefix in workflow/rules/deployment.smk). In a container it gives the job a home, a
# temporary folder and caches of its own, in a place that is writable and bound whatever the site mounts, and removes them
# at the end: the image is read-only, there may be no home, and /tmp may be tiny. Outside a container home and temporary folder
# are the user's; only caches stay in the project folder.
#
# The place is $TMPDIR where the site passes one into the container, otherwise .snakemake/jobs in the project folder, which
# every job can write to. A job that was killed leaves its folder there; later jobs remove it after a week.
#
# An environment module may have set PYTHONPATH to the packages of another Python; no rule needs one.
unset PYTHONPATH PYTHONHOME

# HDF5 takes locks that nothing here needs, and some shared file systems have none.
export HDF5_USE_FILE_LOCKING=FALSE

# A killed program cannot say so itself, and its log is empty.
lstv_end() {
    local status=$?
    case $status in
        137) echo "Error: the program of this job was killed (signal 9), most often because the job used more memory than it has: give it more (mem_mb), or lower localizer.workers and localizer.forward_batch." >&2 ;;
        143) echo "Error: the program of this job was ended from outside (signal 15): cancelled, or over the time limit (runtime)." >&2 ;;
        132 | 134 | 135 | 136 | 139) echo "Error: the program of this job crashed (signal $((status - 128))); the same command tries again, and its log may say more." >&2 ;;
    esac
    # a network file system may refuse for a while; what is left is removed after a week
    if [ -n "${LSTV_JOB:-}" ]; then rm -rf "$LSTV_JOB" 2>/dev/null || true; fi
    return $status
}
trap lstv_end EXIT

if [ -n "${APPTAINER_CONTAINER:-${SINGULARITY_CONTAINER:-}}" ]; then
    if [ -n "${TMPDIR:-}" ] && [ -d "$TMPDIR" ] && [ -w "$TMPDIR" ]; then
        LSTV_JOB=$(mktemp -d "$TMPDIR/lstv-job.XXXXXXXX") || exit 1
    else
        mkdir -p .snakemake/jobs || exit 1
        find .snakemake/jobs -mindepth 1 -maxdepth 1 -name 'lstv-job.*' -mtime +6 -exec rm -rf {} + 2>/dev/null || true
        LSTV_JOB=$(mktemp -d "$PWD/.snakemake/jobs/lstv-job.XXXXXXXX") || exit 1
    fi
    mkdir "$LSTV_JOB/home" "$LSTV_JOB/tmp" "$LSTV_JOB/cache" || exit 1
    export HOME="$LSTV_JOB/home" \
        TMPDIR="$LSTV_JOB/tmp" TMP="$LSTV_JOB/tmp" TEMP="$LSTV_JOB/tmp" \
        XDG_CACHE_HOME="$LSTV_JOB/cache" XDG_CONFIG_HOME="$LSTV_JOB/home/.config" XDG_DATA_HOME="$LSTV_JOB/home/.local/share" \
        MPLCONFIGDIR="$LSTV_JOB/cache/matplotlib" \
        NUMBA_CACHE_DIR="$LSTV_JOB/cache/numba" \
        TORCH_HOME="$LSTV_JOB/cache/torch" \
        CUDA_CACHE_PATH="$LSTV_JOB/cache/cuda" \
        KAGGLE_CONFIG_DIR="${KAGGLE_CONFIG_DIR:-$LSTV_JOB/home/.kaggle}" \
        PYTHONNOUSERSITE=1
else
    export XDG_CACHE_HOME="$PWD/.snakemake/cache" MPLCONFIGDIR="$PWD/.snakemake/cache/matplotlib"
fi

# glibc gives large blocks back to the kernel at once and gets them again zeroed, page by page, at every operation of the network;
# threads of one operation spin while they wait for each other and take the processor from the decoders. Results stay the same.
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-1073741824}" \
    MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-4294967296}" \
    OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
