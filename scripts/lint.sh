#!/usr/bin/env bash
# Checks the style of every C++ file: layout (clang-format), then clang-tidy. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh clang-format clang-tidy
git ls-files -z '*.h' '*.cpp' | xargs -0 clang-format --dry-run -Werror

mkdir -p build/release  # so that each file is compiled alone and has its own entry among the commands
scripts/setup.sh release
git ls-files -z '*.cpp' ':!examples/consumer' ':!tests/fuzz/readers' |
  xargs -0 --max-args 1 --max-procs "$(nproc)" clang-tidy -p build/release --quiet --warnings-as-errors='*'
echo "lint: no findings"
