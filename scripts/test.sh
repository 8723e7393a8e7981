#!/usr/bin/env bash
# Builds and tests.
#   scripts/test.sh            the quick tier: every test, in the release build
#   scripts/test.sh PRESET...  the same tests in other builds, but for the long ones there: dev (ASan + UBSan), tsan
#   scripts/test.sh --full     style and lint, all three builds, and what takes longer: properties of
#                              many cases, random graphs, fuzzed readers, failing calls, valgrind, mutations
set -euo pipefail
cd "$(dirname "$0")/.."

presets=("${@:-release}")
leave_out=(--label-exclude long)
if [ "${1:-}" = --full ]; then
  scripts/lint.sh
  presets=(release dev tsan)
  leave_out=()
fi
for preset in "${presets[@]}"; do
  scripts/setup.sh "$preset"
  # Many of the long ones wait: for a browser, a signal, a clock.
  ctest --preset "$preset" --parallel $((2 * $(nproc))) "${leave_out[@]}"
  cat "build/$preset/tests/reports/"*.txt
done

if [ "${1:-}" = --full ]; then
  RC_PARAMS="seed=$(date +%s) max_success=10000" build/release/tests/test_property
  build/release/tests/fuzz/fuzz_graphs --seconds 600 --seed "$(date +%s)"
  tests/fuzz/readers/run.sh 60
  tests/faults/run.py build/release/bin/weft build/release/tests/faults/libfail_calls.so
  tests/faults/directories.py build/release/bin/weft --count 1000 --seed "$(date +%s)"
  tests/valgrind.sh
  tests/mutations/run.py chosen --fresh
fi
