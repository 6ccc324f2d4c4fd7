#!/usr/bin/env bash
# header.sh INCLUDE-FOLDER: the plugin header alone, as every language and with every compiler that is here.
set -euo pipefail
header=$1/duet/plugin/transport.h
compiled=0
try() {
  command -v "$1" >/dev/null || return 0
  echo "$*"
  # By itself, and as the first include of a file: neither may need anything before it.
  "$@" -Wall -Wextra -pedantic -Werror -fsyntax-only "$header"
  echo '#include "duet/plugin/transport.h"' | "$@" -Wall -Wextra -pedantic -Werror -fsyntax-only -I "$(dirname "$header")/../.." -
  compiled=$((compiled + 1))
}
for standard in c11 c17; do
  try gcc -x c -std=$standard
  try clang -x c -std=$standard
done
for standard in c++11 c++17 c++20; do
  try g++ -x c++ -std=$standard
  try clang++ -x c++ -std=$standard
done
echo "compiled in $compiled ways"
[ "$compiled" -ge 5 ]
