#!/usr/bin/env bash
# Snakemake itself as a job, for sites where it may not run on the login node; or to go home. From the project folder:
#
#   sbatch profiles/slurm/main.sh [Snakemake's arguments]       for instance --configfile config/rsna.yaml
#
# It writes to results/slurm_main_<job>.log and mails you at its end or failure. Five minutes before its time is up it lets
# Snakemake cancel its jobs and puts itself into the queue again; it then goes on with what is left. Downloads are refused
# here, with the command for the login node. What your site wants otherwise: edit a line, or give the option to sbatch itself.
#
#SBATCH --job-name=lstv-main
#SBATCH --qos=primary
##SBATCH --account=FILL_IN
##SBATCH --partition=FILL_IN
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=1-00:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=results/slurm_main_%j.log
#SBATCH --mail-type=END,FAIL
set -euo pipefail
set -m # without job control, bash would make Snakemake deaf to the signal by which it is to stop

most_restarts=${LSTV_MOST_RESTARTS:-20} # a run that never ends should not be restarted without end

job=${SLURM_JOB_ID:-}
restarts=${SLURM_RESTART_COUNT:-0}
cd "${SLURM_SUBMIT_DIR:-.}" # SLURM runs a copy of this file, from a folder of its own
if [ ! -f workflow/Snakefile ] || [ ! -d profiles/slurm ]; then
    echo "Error: $PWD is not the project folder: cd there, then sbatch profiles/slurm/main.sh" >&2
    exit 2
fi
[ ! -d .venv/bin ] || export PATH="$PWD/.venv/bin:$PATH"
if ! command -v snakemake >/dev/null; then
    echo "Error: there is no Snakemake here: run make setup on the login node first" >&2
    exit 2
fi
unset PYTHONPATH # of an environment module: packages of another Python

# The size of this job is not that of the jobs that it submits. SLURM_CONF says where SLURM is, so it stays.
for name in $(compgen -e SLURM_) $(compgen -e SBATCH_) $(compgen -e SRUN_); do
    [ "$name" = SLURM_CONF ] || unset "$name"
done

profile=slurm
[ -e slurm ] || profile=profiles/slurm # a folder that snakedeploy made has not the link
arguments=(--profile "$profile" "$@")
report=()
if sacct --noheader --allocations >/dev/null 2>&1; then # what each job asked for and used
    mkdir -p results/slurm_logs
    report=(--slurm-efficiency-report --slurm-efficiency-report-path results/slurm_logs)
fi
LSTV_MAIN_JOB=$(printf '%q ' "${arguments[@]}") # by which the workflow knows where it runs
export LSTV_MAIN_JOB

why=''
stop() { # REASON
    why=$1
    echo "main.sh: $1; Snakemake cancels its jobs and stops. $(date)"
    kill -INT "$snakemake" 2>/dev/null || true
}
echo "main.sh: job ${job:-none}, start $((restarts + 1)) on $(hostname). $(date)"
snakemake "${arguments[@]}" ${report[@]+"${report[@]}"} &
snakemake=$!
trap 'stop "the time limit is near"' USR1
trap 'stop "cancelled"' TERM INT

code=0
wait "$snakemake" || code=$?
if [ -n "$why" ]; then # a signal ends the first wait, not Snakemake
    code=0
    wait "$snakemake" || code=$?
fi
trap - USR1 TERM INT

if [ "$why" = "the time limit is near" ] && [ "$code" != 0 ]; then
    again="sbatch profiles/slurm/main.sh $(printf '%q ' "$@")"
    if [ "$restarts" -ge "$most_restarts" ]; then
        echo "main.sh: restarted $restarts times already; to go on: $again" >&2
    elif [ -n "$job" ] && scontrol requeue "$job"; then
        echo "main.sh: in the queue again."
        exit 0
    else
        echo "main.sh: this site does not let a job into the queue again; to go on: $again" >&2
    fi
fi
exit "$code"
