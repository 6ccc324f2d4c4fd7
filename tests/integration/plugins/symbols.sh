#!/usr/bin/env bash
# symbols.sh PLUGIN…: a plugin shows its entry point and nothing else, or two of them would meet in their symbols.
set -euo pipefail
bad=0
for plugin in "$@"; do
  shown=$(nm -D --defined-only "$plugin" | awk '$2 != "w" && $2 != "W" && $2 != "V" && $2 != "u" { print $3 }')
  if [ "$shown" != duet_transport_plugin ]; then
    echo "$plugin shows: $shown" | head -n 20
    bad=1
  fi
done
exit $bad
