#!/bin/bash
# A sweep as a Slurm array: each task runs one shard. See Docs/Sweeps.md.
#
#   sbatch Samples/jobs/slurm-array.sh SCENARIO RESULTS --sweep machine.policy.group=1G,4G --seeds 100
#
# SCENARIO is the file, RESULTS a folder that all nodes see; what follows is handed to `megalith run`. Tasks that were stopped or failed
# go on where they were when they are submitted again, all of them or some: sbatch --array=3,5 ...
#SBATCH --job-name=megalith-sweep
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@300
set -euo pipefail

# In how many shards the sweep is cut: the last number of the whole array, also where only some of it is submitted.
shards=${SHARDS:-8}

if [[ $# -lt 2 ]]; then
  echo "usage: sbatch $0 SCENARIO RESULTS [options of megalith run]" >&2
  exit 64
fi
scenario=$1
results=$2
shift 2

shard=${SLURM_ARRAY_TASK_ID:?"this is for a Slurm array: sbatch, not bash"}
if ((shard < 1 || shard > shards)); then
  echo "task $shard of $shards shards: set SHARDS to the last number of the whole array" >&2
  exit 64
fi

mkdir -p "$results"
# The signal before the time limit reaches the command itself, which finishes the points that run and stops.
exec megalith run "$scenario" "$@" --shard "$shard/$shards" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
  --results "$results/part-$shard.csv" --resume
