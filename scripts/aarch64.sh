#!/usr/bin/env bash
# Builds weft for 64-bit Arm without any library but the standard one, and runs the tests of core, autograd,
# nn and optim in an emulator: scripts/aarch64.sh [CTEST OPTION...]. It takes about an hour of one core.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh g++-aarch64-linux-gnu qemu-user cmake ninja-build ccache \
  libfmt-dev nlohmann-json3-dev libtomlplusplus-dev catch2
build=build/aarch64
unity=()
[ -d $build ] || unity=(-D CMAKE_UNITY_BUILD=ON)
cmake -S . -B $build -G Ninja "${unity[@]}" -D CMAKE_BUILD_TYPE=Release \
  -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64 -D CMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -D CMAKE_CROSSCOMPILING_EMULATOR="qemu-aarch64;-L;/usr/aarch64-linux-gnu" \
  -D WEFT_PORTABLE=ON -D WEFT_BUILD_SEQ2SEQ=OFF -D WEFT_BUILD_EXAMPLES=OFF -D WEFT_BUILD_BENCH=OFF >/dev/null
tests=(test_core test_autograd test_nn test_optim)
cmake --build $build --target "${tests[@]}"
# Left out: tests that start their own program again, or fork where threads run, which the emulator cannot.
ctest --test-dir $build --output-on-failure --parallel "$(nproc)" --tests-regex '^test_(core|autograd|nn|optim): ' \
  --exclude-regex 'a setting that is none|WEFT_NUM_THREADS sets|a forked child' "$@"
