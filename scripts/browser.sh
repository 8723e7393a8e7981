#!/usr/bin/env bash
# Builds build/browser/weft.html, one file that trains a translator in any browser, without a network:
# scripts/browser.sh, then open it. Needs Debian's emscripten, which it installs.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v em++ >/dev/null ||
  scripts/packages.sh emscripten cmake ninja-build libfmt-dev nlohmann-json3-dev libtomlplusplus-dev
export NODE_PATH=/usr/share/nodejs # where a node that is not Debian's finds Debian's acorn too

unity=()
[ -d build/browser ] || unity=(-D CMAKE_UNITY_BUILD=ON)
emcmake cmake -S . -B build/browser -G Ninja -D CMAKE_BUILD_TYPE=Release -D WEFT_BUILD_TESTS=OFF \
  -D WEFT_BUILD_BENCH=OFF "${unity[@]}" >/dev/null
cmake --build build/browser --target browser_page
echo "build/browser/weft.html: $(stat --format %s build/browser/weft.html) bytes"
