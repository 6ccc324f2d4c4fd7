#!/usr/bin/env bash
# guide.sh SOURCE DUET-PLUGIN-CHECK: the commands of docs/write-a-transport.md, as they stand there, in a folder that has
# nothing but the installed header and a copy of the sample.
set -euo pipefail
source=$1 check=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/installed/include/duet/plugin" "$folder/samples" "$folder/bin"
cp "$source/sdk/include/duet/plugin/transport.h" "$folder/installed/include/duet/plugin/"
cp -r "$source/samples/transport" "$folder/samples/"
ln -s "$check" "$folder/bin/duet-plugin-check"
cd "$folder"
export DUET=$folder/installed PATH=$folder/bin:$PATH

# command NAME: the code block behind `<!-- command: NAME -->`.
command_of() {
  awk -v mark="<!-- command: $1 -->" '$0 == mark { found = 1 } found && /^```$/ { exit } found && open { print } found && /^```sh$/ { open = 1 }' \
    "$source/docs/write-a-transport.md"
}
run() {
  local text
  text=$(command_of "$1")
  [ -n "$text" ] || { echo "the guide has no command $1"; exit 1; }
  echo "+ $text $2"
  bash -euo pipefail -c "$text $2"
}
run cc ""
run check "--filter Messages.A*"
run cmake ""
duet-plugin-check build-unix/libduet_transport_unix.so --filter "Connections.Be*"
run check-full "--filter Ends.*"
