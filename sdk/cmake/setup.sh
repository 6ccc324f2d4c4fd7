# Set-up shared by samples/quickstart and tests/run: packages, configure, build. Sourced by bash, from the top folder.
# Says what it installs before it does; a second run finds everything in place within seconds.

# What a bare Debian 12 lacks for building and running Duet with all its tests of the release preset.
build_packages=(
  ca-certificates g++ cmake ninja-build pkg-config ccache
  libtorch-dev libfabric-dev libzmq3-dev cppzmq-dev libsodium-dev libflatbuffers-dev flatbuffers-compiler
  libhwy-dev libeigen3-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libncurses-dev
  libgtest-dev libgmock-dev libbenchmark-dev prometheus-cpp-dev libcpp-httplib-dev python3
  qt6-base-dev qt6-svg-dev libjpeg62-turbo-dev
  # LibTorch's products of matrices: ten times as fast as by libblas3, which it comes with. Not -serial, which has no locks.
  libopenblas0-openmp
)

fail() { printf '%s: %s\n' "$program" "$*" >&2; exit 1; }
say() { printf '%s: %s\n' "$program" "$*"; }

# install_packages NAME…: those that are missing, as root or through sudo.
install_packages() {
  local missing=() name sudo=()
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "this script installs with apt-get, which is not here; install by hand: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "run as root, or install by hand: ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >"$log_folder/packages.log" 2>&1 || { tail -n 5 "$log_folder/packages.log" >&2; fail "installing packages failed; see $log_folder/packages.log"; }
}

# configure PRESET [ARGUMENT…]: once; later runs let the build system see for itself whether something changed.
configure() {
  local preset=$1
  shift
  [ -e "build/$preset/build.ninja" ] && [ $# -eq 0 ] && return 0
  say "configuring preset $preset"
  cmake --preset "$preset" "$@" >"$log_folder/configure-$preset.log" 2>&1 \
    || { grep -A 8 -m 1 'CMake Error' "$log_folder/configure-$preset.log" >&2; fail "configuring failed; see $log_folder/configure-$preset.log"; }
  sed -n 's/^-- //; /^Duet /,$p' "$log_folder/configure-$preset.log" | grep -v '^$\|Configuring done\|Generating done\|Build files' || true
}

# build PRESET [TARGET…]: with progress on a terminal, with a line now and then elsewhere.
build() {
  local preset=$1
  shift
  say "building preset $preset${1:+ ($*)}"
  local start=$SECONDS
  if [ -t 1 ]; then
    cmake --build "build/$preset" ${1:+--target "$@"} || fail "the build failed"
  else
    # pipefail is on in every script that sources this: the pipeline fails when the build does.
    if ! NINJA_STATUS='[%f/%t] ' cmake --build "build/$preset" ${1:+--target "$@"} 2>&1 | tee "$log_folder/build-$preset.log" \
      | awk '/^\[[0-9]+\/[0-9]+\]/ { if (++n % 25 == 0) { print; fflush() } }'; then
      grep -m 5 -A 5 'error:\|FAILED:' "$log_folder/build-$preset.log" >&2
      fail "the build failed; see $log_folder/build-$preset.log"
    fi
  fi
  say "built preset $preset in $((SECONDS - start)) s"
}

# What two builds of this checkout have in common is compiled once.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
log_folder=build/logs
mkdir -p "$log_folder"
