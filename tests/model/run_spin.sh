#!/bin/sh
# run_spin.sh MODEL SEARCH EXPECTED [-DNAME=VALUE …]: checks one instance of a Promela model in a folder of its own.
#   SEARCH    safety    every state: assertions, and no end but a valid one
#             progress  no run goes on for ever without a meeting, each worker's turn coming again and again (weak fairness)
#             sample    safety, on as many states as 10 seconds allow (bit-state hashing), for what is too large
#   EXPECTED  holds, or what pan must find wrong: "assertion violated", "non-progress cycle", "invalid end state"
# Exit code 77: spin is not installed (CTest: skipped).
set -u
model=$1 search=$2 expected=$3
shift 3
command -v spin >/dev/null 2>&1 || { echo "skipped: spin is not installed (Debian: apt-get install spin)"; exit 77; }
case $model in /*) ;; *) model=$PWD/$model ;; esac

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
cp "$model" model.pml
spin "$@" -a model.pml || { echo "spin refused the model"; exit 1; }

limit="" run="-m500000"
case $search in
  safety) compile="-DSAFETY -DCOLLAPSE" ;;
  progress) compile="-DNP -DNFAIR=6 -DCOLLAPSE" run="$run -l -f" ;;
  sample) compile="-DSAFETY -DBITSTATE" run="-m10000 -w30 -k2" limit="timeout --signal=INT 10" ;;
  *) echo "no such search: $search"; exit 1 ;;
esac
[ "$expected" = holds ] && optimize=-O1 || optimize=-O0 # what is broken is found at once
# shellcheck disable=SC2086
${CC:-cc} "$optimize" -w -DMEMLIM=1900 $compile -o pan pan.c || exit 1
# shellcheck disable=SC2086
$limit ./pan $run >output 2>&1
grep -vE '^[[:space:]]*(model.pml:|\()' output

if grep -qE 'max search depth too small|out of memory|memory limit|aborted' output; then
  echo "the search was not complete"
  exit 1
fi
if [ "$expected" = holds ]; then
  grep -q 'errors: 0' output && exit 0
  echo "---- the run that leads there"
  spin "$@" -t -p model.pml 2>/dev/null | grep -E 'inbox|CYCLE|state\[i\] =' | tail -100
  exit 1
fi
grep -q "^pan.*$expected" output && exit 0
echo "this variant is broken and was not found so: expected \"$expected\""
exit 1
