#!/usr/bin/env bash
# Builds and tests.
#   scripts/test.sh            the quick tier: every test, in the release build
#   scripts/test.sh PRESET...  the same tests in other builds: dev (ASan + UBSan), tsan
#   scripts/test.sh --full     style and lint, then all three builds
set -euo pipefail
cd "$(dirname "$0")/.."

presets=("${@:-release}")
if [ "${1:-}" = --full ]; then
  scripts/lint.sh
  presets=(release dev tsan)
fi
for preset in "${presets[@]}"; do
  scripts/setup.sh "$preset"
  ctest --preset "$preset" --parallel "$(nproc)"
done
