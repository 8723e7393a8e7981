#!/usr/bin/env bash
# Fuzzes the readers with libFuzzer, ASan and UBSan: tests/fuzz/readers/run.sh SECONDS [READER...]
# READER is safetensors, config or text; all of them unless named. What libFuzzer learns stays in
# build/fuzz/corpus, so that the next call goes on from there; an input that fails is left in
# build/fuzz/failed, and build/fuzz/tests/fuzz/fuzz_READER FILE runs it again.
set -euo pipefail
cd "$(dirname "$0")/../../.."

seconds=${1:?usage: run.sh SECONDS [READER...]}
readers=("${@:2}")
[ ${#readers[@]} -gt 0 ] || readers=(safetensors config text)

scripts/packages.sh clang libclang-rt-14-dev
scripts/setup.sh fuzz "${readers[@]/#/fuzz_}"
seeds=tests/fuzz/readers/seeds
for reader in "${readers[@]}"; do
  corpus=build/fuzz/corpus/$reader
  mkdir -p "$corpus" build/fuzz/failed
  [ "$reader" != safetensors ] || cp tests/fixtures/reader_*.safetensors "$corpus"
  echo "fuzz_$reader: $seconds s"
  "build/fuzz/tests/fuzz/fuzz_$reader" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=2048 -use_value_profile=1 -dict="$seeds/$reader.dict" -verbosity=0 \
    -print_funcs=0 -print_final_stats=1 -artifact_prefix="build/fuzz/failed/$reader-" "$corpus" "$seeds/$reader"
done
