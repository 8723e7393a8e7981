#!/usr/bin/env bash
# Installs the missing packages, configures and builds: scripts/setup.sh [PRESET [TARGET...]]
# The preset is release unless named; without targets, everything is built. A build from nothing is
# one of few large sources, in half the time; who will change them rather has each compiled by itself:
# cmake --preset PRESET -D CMAKE_UNITY_BUILD=OFF
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
targets=("${@:2}")
unity=()

scripts/packages.sh g++ cmake ninja-build ccache pkg-config \
  libopenblas-dev libfmt-dev nlohmann-json3-dev libcli11-dev libsentencepiece-dev \
  libtomlplusplus-dev libcpp-httplib-dev zlib1g-dev catch2 librapidcheck-dev

[ -d "build/$preset" ] || unity=(-D CMAKE_UNITY_BUILD=ON)
cmake --preset "$preset" "${unity[@]}" >/dev/null
cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"}
