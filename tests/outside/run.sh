#!/usr/bin/env bash
# Installs the release build into a directory of its own, then builds and runs the examples outside this project: by
# find_package(carillon), and one of them by pkg-config.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

run_example() {
  timeout 60 "$1" >"$place/said" 2>&1 </dev/null || { cat "$place/said"; echo "the example ended with $?"; return 1; }
  [ -s "$place/said" ] || { echo "the example said nothing"; return 1; }
}

cmake --install "$root/build/release" --prefix "$place/installed" >/dev/null
echo "installed: $(find "$place/installed" -type f | wc -l) files"
"$place/installed/bin/carillon" version

mkdir "$place/project"
cp "$root/tests/outside/CMakeLists.txt" "$root"/examples/*.cpp "$place/project/"
cmake -S "$place/project" -B "$place/build" -G Ninja -DCMAKE_PREFIX_PATH="$place/installed" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
cmake --build "$place/build"
run_example "$place/build/embedded"
run_example "$place/build/channels"
echo "find_package: built and run"

export PKG_CONFIG_PATH="$place/installed/lib/pkgconfig:$(echo "$place"/installed/lib/*/pkgconfig)"
# A static library: pkg-config must tell its own libraries too.
# shellcheck disable=SC2046
g++ -std=c++20 "$place/project/embedded.cpp" -o "$place/by_pkg_config" $(pkg-config --cflags --libs --static carillon)
run_example "$place/by_pkg_config"
echo "pkg-config: built and run"

# The public headers mention nothing that is not installed with them.
if grep -rnE '#include "' "$place/installed/include/carillon" | grep -v '#include "carillon/'; then
  echo "a public header includes something that is not public"
  exit 1
fi
