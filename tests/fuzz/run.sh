#!/usr/bin/env bash
# run.sh PROGRAM: fuzzes for 5 s (60 s with DUET_TEST_FULL), beginning with the program's own seeds.
set -euo pipefail
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
time=5
[ -z "${DUET_TEST_FULL:-}" ] || time=60
DUET_FUZZ_SEEDS=$corpus "$1" -max_total_time=$time -max_len=20000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$corpus/" "$corpus" 2>&1 | tail -n 40
