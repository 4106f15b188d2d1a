#!/usr/bin/env bash
# A SLURM of one node for the cluster tests: accounting, a gpu partition with one (pretended) GPU, real sbatch. Everything that
# it writes is under FOLDER, so a SLURM of the machine's own is not touched. Debian or Ubuntu, as root.
#
#   one_node_slurm.sh install           the packages, once
#   one_node_slurm.sh start FOLDER      safe to run again; prints the line that clients have to evaluate
#   one_node_slurm.sh start FOLDER none the same without accounting (no slurmdbd)
#   one_node_slurm.sh stop FOLDER
set -euo pipefail
umask 022

packages=(slurm-wlm munge slurmdbd mariadb-server python3-venv)
command=${1:?usage: one_node_slurm.sh install|start|stop FOLDER}
folder=${2:-}
accounting=${3:-slurmdbd}
port=${SLURM_TEST_PORT:-27817} # four ports from here

install_packages() {
    local program missing=no
    for program in slurmctld slurmd slurmdbd munged mariadbd sbatch; do
        command -v "$program" >/dev/null || missing=yes
    done
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing=yes
    [ "$missing" = yes ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    # containers forbid that packages start their services; this one starts its own
    apt-get update -qq
    apt-get install -y -qq "${packages[@]}" >/dev/null
}

running() { # PIDFILE
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

stop_by() { # PIDFILE
    running "$1" || return 0
    local pid
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

until_works() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    while [ "$SECONDS" -lt "$end" ]; do
        if timeout 10 "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "Error: '$*' did not work; see the log files in $folder" >&2
    return 1
}

write_configuration() {
    local host cpus memory
    host=$(hostname -s)
    cpus=12 # pretended, so that on a small machine inference gets its eight beside Snakemake itself as a job
    memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 * 9 / 10))
    cat >"$folder/slurm.conf" <<EOF
ClusterName=lstvtest
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$folder/munge/munge.sock
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
# without cgroups, memory is enforced by what is gathered
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/$accounting
SchedulerParameters=sched_interval=1,bf_interval=1
KillWait=3
InactiveLimit=0
MinJobAge=600
ReturnToService=2
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$cpus RealMemory=$memory Gres=gpu:1 Feature=v100 State=UNKNOWN
PartitionName=primary Nodes=$host Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$host MaxTime=INFINITE State=UP
EOF
    if [ "$accounting" = slurmdbd ]; then
        # with munge, the "password" is the socket of a munged of one's own
        printf 'AccountingStorageHost=127.0.0.1\nAccountingStoragePort=%s\nAccountingStoragePass=%s\n%s\n' $((port + 2)) \
            "$folder/munge/munge.sock" $'AccountingStorageTRES=gres/gpu\nAccountingStoreFlags=job_comment\nAccountingStorageEnforce=associations,qos' >>"$folder/slurm.conf"
    fi
    echo "NodeName=$host Name=gpu File=/dev/null" >"$folder/gres.conf"
    cat >"$folder/cgroup.conf" <<EOF
CgroupPlugin=cgroup/v1
CgroupAutomount=yes
ConstrainCores=no
ConstrainRAMSpace=no
ConstrainDevices=no
EOF
    cat >"$folder/slurmdbd.conf" <<EOF
AuthType=auth/munge
AuthInfo=socket=$folder/munge/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((port + 2))
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((port + 3))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
SlurmUser=root
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
EOF
    chmod 600 "$folder/slurmdbd.conf"
}

write_srun() {
    # Snakemake's job step removes every SLURM_ variable before it calls srun, so srun has to be told of the folder again
    install -d -m 755 "$folder/bin"
    printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/srun "$@"\n' "$folder/slurm.conf" >"$folder/bin/srun"
    chmod 755 "$folder/bin/srun"
}

start_munge() {
    running "$folder/munge/munged.pid" && return
    install -d -m 755 -o munge -g munge "$folder/munge"
    if [ ! -s "$folder/munge/key" ]; then
        head -c 1024 /dev/urandom >"$folder/munge/key"
        chown munge:munge "$folder/munge/key"
        chmod 400 "$folder/munge/key"
    fi
    setpriv --reuid=munge --regid=munge --clear-groups munged --force --socket="$folder/munge/munge.sock" --num-threads=2 \
        --key-file="$folder/munge/key" --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/munged.log" \
        --seed-file="$folder/munge/seed"
    until_works 10 test -S "$folder/munge/munge.sock"
}

start_database() {
    running "$folder/mariadb.pid" && return
    install -d -m 700 -o mysql -g mysql "$folder/mariadb"
    if [ ! -d "$folder/mariadb/mysql" ]; then
        mariadb-install-db --no-defaults --user=mysql --datadir="$folder/mariadb" --auth-root-authentication-method=socket \
            --skip-test-db >"$folder/mariadb-install.log" 2>&1
    fi
    setsid mariadbd --no-defaults --user=mysql --datadir="$folder/mariadb" --socket="$folder/mariadb/db.sock" \
        --port=$((port + 3)) --bind-address=127.0.0.1 --pid-file="$folder/mariadb/db.pid" \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0 \
        >"$folder/mariadb.log" 2>&1 </dev/null &
    echo $! >"$folder/mariadb.pid"
    local client=(mariadb --no-defaults --user=root --socket="$folder/mariadb/db.sock")
    until_works 60 "${client[@]}" -e 'select 1'
    "${client[@]}" -e "create database if not exists slurm_acct_db;
        create user if not exists slurm@localhost identified by 'slurm'; create user if not exists slurm@'127.0.0.1' identified by 'slurm';
        grant all on slurm_acct_db.* to slurm@localhost; grant all on slurm_acct_db.* to slurm@'127.0.0.1';"
}

start() {
    install_packages
    install -d -m 755 "$folder" "$folder/state" "$folder/spool"
    folder=$(realpath "$folder")
    export SLURM_CONF="$folder/slurm.conf"
    if [ -s "$folder/accounting" ] && [ "$(cat "$folder/accounting")" != "$accounting" ]; then
        stop
        rm -rf "$folder/state" "$folder/spool" # a controller keeps the TRES of its accounting
        install -d -m 755 "$folder/state" "$folder/spool"
    fi
    echo "$accounting" >"$folder/accounting"
    write_configuration
    write_srun
    start_munge
    if [ "$accounting" = slurmdbd ]; then
        start_database
        if ! running "$folder/slurmdbd.pid"; then
            rm -f "$folder/slurmdbd.pid"
            # slurmdbd looks for its configuration beside SLURM_CONF
            slurmdbd
            until_works 60 sacctmgr --noheader show cluster
        fi
        if [ -z "$(sacctmgr --noheader --parsable2 show account lab format=account)" ]; then
            sacctmgr --immediate --quiet add cluster lstvtest >/dev/null || true
            sacctmgr --immediate --quiet add account lab Description=tests Organization=tests >/dev/null
        fi
        local qos
        for qos in primary gpu; do # of a site where jobs ask for a QOS
            if [ -z "$(sacctmgr --noheader --parsable2 show qos "$qos" format=name)" ]; then
                sacctmgr --immediate --quiet add qos "$qos" >/dev/null
            fi
        done
    fi
    running "$folder/slurmctld.pid" || slurmctld
    until_works 30 scontrol ping
    running "$folder/slurmd.pid" || slurmd
    until_works 60 sh -c 'sinfo --noheader --format=%T | grep -qE "idle|mixed|allocated"'
    echo "export SLURM_CONF=$SLURM_CONF"
}

stop() {
    for daemon in slurmd slurmctld slurmdbd mariadb munge/munged; do stop_by "$folder/$daemon.pid"; done
}

case $command in
    install) install_packages ;;
    start) start ;;
    stop) folder=$(realpath "${folder:?}") && stop ;;
    *) echo "Error: unknown command $command" >&2 && exit 2 ;;
esac
