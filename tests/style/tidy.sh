#!/usr/bin/env bash
# tidy.sh SOURCE BUILD CLANG-TIDY: files that passed are remembered by their content (with that of all headers), so that
# a second run looks at what changed only. By default, at what the last commits changed, at most twenty files; with the full
# counts, at everything, and with the static analyzer, which doubles the time.
set -uo pipefail
source=$1 build=$2 tidy=$3
[ -x "$tidy" ] || { echo "skipped: clang-tidy is not installed"; exit 0; }
cd "$source"
passed=$build/tidy
mkdir -p "$passed"
# The compiler's precompiled headers are not clang's: without them, each file's own includes count.
sed 's/-Winvalid-pch -include [^ ]*//' "$build/compile_commands.json" >"$passed/compile_commands.json"
checks=--checks=-clang-analyzer-*
files=$(git ls-files -- 'sdk/*.cc' 'plugins/*.cc' 'samples/*.cc' 'monitor/*.cc')
if [ -n "${DUET_TEST_FULL:-}" ]; then
  checks=--checks=
else
  # The newest first.
  changed=$( (git diff --name-only HEAD; git log -30 --name-only --format=) | awk 'NF && !seen[$0]++')
  files=$(grep -xF "$files" <<<"$changed" | head -n 20)
fi
headers=$(git ls-files -z -- '*.h' '*.clang-tidy' | xargs -0 cat | sha1sum)$checks
pending=()
for file in $files; do
  # Not what includes LibTorch: it takes a minute a file, and warns about LibTorch.
  case $file in sdk/src/torch/* | samples/train/*) continue ;; esac
  grep -q "\"file\": \"$source/$file\"" "$build/compile_commands.json" || continue
  stamp=$passed/$( (echo "$headers"; cat "$file") | sha1sum | cut -c 1-20)
  [ -e "$stamp" ] || pending+=("$file:$stamp")
done
echo "${#pending[@]} files to look at"
check() {
  local file=${1%%:*} stamp=${1#*:}
  if "$2" -p "$3" --quiet "$4" "$file" 2>/dev/null >"$stamp.out"; then
    rm -f "$stamp.out"
    touch "$stamp"
  else
    cat "$stamp.out"
    rm -f "$stamp.out"
    return 1
  fi
}
export -f check
[ ${#pending[@]} -eq 0 ] || printf '%s\n' "${pending[@]}" | xargs -P "$(nproc)" -I {} bash -c 'check {} "$@"' _ "$tidy" "$passed" "$checks"
