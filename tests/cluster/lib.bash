# Shared by up, down and env: where the cluster lives, which processes and cgroups are its own.
# shellcheck shell=bash disable=SC2034  # the scripts use the variables

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=${JOBWATT_CLUSTER_DIR:-/tmp/jobwatt-cluster}
nodes=(n1 n2)
# Stop order: nothing shall report to a daemon that has gone.
daemons=(slurmd.n1 slurmd.n2 slurmctld slurmdbd mariadbd munged)
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export SLURM_CONF=$state/etc/slurm.conf

say() { printf 'cluster: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# One up or down at a time. A daemon that inherited descriptor 9 would hold the lock for ever.
lock() {
    exec 9>>"$state.lock"
    flock 9
}

# The process of the daemon's subreaper, if it lives. Its pid file may be old, and the number in use
# by another process: the command line tells.
daemon_pid() {
    local pid_file=$state/run/$1.pid pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    grep -qzxF -- "$pid_file" "/proc/$pid/cmdline" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

# unified (cgroup v2), legacy (v1, one mount for each controller) or none
cgroup_mode() {
    case $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) in
        cgroup2fs) echo unified ;;
        tmpfs) echo legacy ;;
        *) echo none ;;
    esac
}

# The cgroup directories that slurmd makes for our nodes: v1 slurm_NODE, v2 NODE_slurmstepd.scope
node_cgroups() {
    local node
    for node in "${nodes[@]}"; do
        compgen -G "/sys/fs/cgroup/*/slurm_$node" || true
        compgen -G "/sys/fs/cgroup/system.slice/${node}_slurmstepd.scope" || true
    done
}

# Daemons whose subreaper was killed: up marks their environment.
orphans() {
    grep -lzxFs -- "JOBWATT_CLUSTER=$state" /proc/[0-9]*/environ | cut -d / -f 3 || true
}

# Every srun and salloc of this cluster
waiting_clients() {
    local pid
    for pid in $(pgrep -x 'srun|salloc'); do
        grep -qzxFs -- "SLURM_CONF=$SLURM_CONF" "/proc/$pid/environ" && echo "$pid"
    done || true
}

cgroup_processes() {
    node_cgroups | while read -r directory; do
        find "$directory" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done | sort -u
}
