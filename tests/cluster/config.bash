# Writes the configuration files; used by up. A node's 8 CPUs, 4000 MB and 4 GPUs are fictional.
# shellcheck shell=bash
# shellcheck disable=SC2154  # state and nodes come from lib.bash

port=${JOBWATT_CLUSTER_PORT:-26817} # slurmctld; +1 slurmdbd, +2 n1, +3 n2

write_slurm_conf() {
    local host
    host=$(hostname -s)
    cat >"$state/etc/slurm.conf" <<END
ClusterName=jobwatt
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
CredType=cred/munge
MpiDefault=none
ReturnToService=2

StateSaveLocation=$state/spool/slurmctld
SlurmdSpoolDir=$state/spool/%n
SlurmctldPidFile=$state/run/slurmctld.own.pid
SlurmdPidFile=$state/run/slurmd.%n.own.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
# By default a het job waits 30 s for backfill, and a requeued job 60 s for the main scheduler.
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=10000,batch_sched_delay=0
JobRequeue=1
KillWait=5
OverTimeLimit=0
MaxArraySize=1001

ProctrackType=proctrack/cgroup
# task/affinity cannot lay out tasks on CPUs that the machine does not have.
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=30
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 1))
AccountingStoragePass=socket=$state/munge/socket
AccountingStorageTRES=gres/gpu

# 8 CPUs on a machine that has fewer
SlurmdParameters=config_overrides
GresTypes=gpu
DefMemPerCPU=400
NodeName=DEFAULT CPUs=8 Sockets=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=4000 Gres=gpu:4
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2))
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 3))
PartitionName=main Nodes=n1,n2 Default=YES State=UP MaxTime=INFINITE DefaultTime=60
PartitionName=short Nodes=n1,n2 State=UP MaxTime=1
END
}

write_slurmdbd_conf() {
    # StorageHost=localhost is the socket that MYSQL_UNIX_PORT names.
    (umask 077 && cat >"$state/etc/slurmdbd.conf") <<END
DbdHost=$(hostname -s)
DbdAddr=127.0.0.1
DbdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
LogFile=$state/log/slurmdbd.log
PidFile=$state/run/slurmdbd.own.pid
DebugLevel=info
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
END
}

write_gres_conf() {
    cat >"$state/etc/gres.conf" <<END
AutoDetect=off
NodeName=n1 Name=gpu File=$state/dev/nvidia[0-3]
NodeName=n2 Name=gpu File=$state/dev/nvidia[4-7]
END
}

# CPUs are fictional, so cores cannot be constrained.
# $1: unified or legacy; $2: yes where memory can be constrained
write_cgroup_conf() {
    local plugin=cgroup/v1
    if [[ $1 == unified ]]; then plugin=cgroup/v2; fi
    cat >"$state/etc/cgroup.conf" <<END
CgroupPlugin=$plugin
ConstrainCores=no
ConstrainDevices=yes
ConstrainRAMSpace=$2
END
    # Without systemd (a container) slurmd makes its cgroup v2 scope itself.
    if [[ $1 == unified && ! -d /run/systemd/system ]]; then
        echo IgnoreSystemd=yes >>"$state/etc/cgroup.conf"
    fi
}
