#!/usr/bin/env bash
# Times the Hessian of a loss by the queries of a cross-attention layer, weft and PyTorch in turn,
# and prints the medians of the rounds and the largest difference from the stored Hessian:
#   bench/hessian.sh [ROUNDS]     3 unless given
# $PYTHON is a Python that knows torch (python3 unless set).
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/peers.sh

rounds=${1:-3}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "usage: bench/hessian.sh [ROUNDS]; got '$rounds'"
fixture=tests/fixtures/attention_hessian.safetensors
out=build/hessian.jsonl # a line of JSON for each method and round
scripts/setup.sh release hessian_bench
"$python" -c 'import torch' || die "$python has no torch (set PYTHON)"

: >$out
for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds"
  build/release/bench/hessian_bench $fixture >>$out
  "$python" bench/hessian.py $fixture >>$out
done

echo "| method | ms | largest difference |"
echo "|---|---|---|"
sed -n 's/.*"method": "\([^"]*\)".*/\1/p' $out | sort -u | while read -r method; do
  lines=$(grep -F "\"$method\"" $out)
  echo "| $method | $(value ms <<<"$lines" | median) | $(value largest_difference <<<"$lines" |
    sort -g | tail -n 1) |"
done
