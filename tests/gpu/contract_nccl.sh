#!/usr/bin/env bash
# contract_nccl.sh TEST_CONTRACT PLUGIN GPUS: the contract suite over NCCL on real GPUs. Exit code 77: skipped, with the
# reason. One GPU: pairs in one process that send to themselves. Two: also pairs of processes, each on its own.
set -uo pipefail
suite=$1 plugin=$2 needed=$3
skip() { echo "skipped: $*"; exit 77; }
command -v nvidia-smi >/dev/null || skip "needs $needed GPU(s); nvidia-smi, and so NVIDIA's driver, is not here"
found=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')
[ "$found" -ge "$needed" ] || skip "needs $needed GPU(s), this machine has $found"
ldconfig -p | grep -q 'libnccl\.so\.2' || [ -n "${DUET_NCCL_LIBRARY:-}" ] \
  || skip "libnccl.so.2 is not in the loader's search; set DUET_NCCL_LIBRARY to its path"
nccl=$plugin,memory=cuda:libcuda.so.1${DUET_NCCL_LIBRARY:+,library=$DUET_NCCL_LIBRARY}
if [ "$needed" -eq 1 ]; then
  export DUET_CONTRACT_PLUGINS="nccl_one_gpu=$nccl,scope=process"
  filter='*nccl_one_gpu'
else
  export DUET_CONTRACT_PLUGINS="nccl_two_gpus=$nccl,devices=2"
  filter='Transports/Processes*nccl_two_gpus'
fi
# A thousand communicators one after the other take NCCL many minutes.
"$suite" --gtest_filter="$filter:-*AfterAThousand*"
