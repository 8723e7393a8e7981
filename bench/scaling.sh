#!/usr/bin/env bash
# Measures how time and peak memory grow: of cross-attention, forward and backward, with the length
# of the sequences; of a training step (train_small) with batch, width and vocabulary. Prints tables.
#   bench/scaling.sh
# The exponent of time is the slope of a line through (log n, log ms); beside it the same slope of
# the multiplications that the composed maths does. The exponent of memory is that of its increments
# between sizes, in which drops out what does not grow: the program, and weights of constant size.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/peers.sh

[ $# -eq 0 ] || die "takes no arguments; got '$*'"
scripts/setup.sh release weft_bench

# One measurement: "n, multiplications, ms, MB".
attention() { # LENGTH
  local n=$1 d=512
  run "$n" $((24 * n * d * d + 12 * n * n * d)) --attention "1,$n,$n,$d,8"
}
train() { # N WIDTH VOCABULARY BATCH
  local d=$2 v=$3 b=$4 f=$((4 * $2)) t=32 rows=$((32 * $4))
  local encoder=$((6 * rows * (4 * d * d + 2 * d * f) + 12 * rows * t * d))
  local decoder=$((6 * rows * (8 * d * d + 2 * d * f) + 24 * rows * t * d))
  run "$1" $((3 * encoder + 3 * decoder + 6 * rows * d * v)) --train "$d,$f,8,3,3,$v,$b,$t,$t"
}
run() { # N MULTIPLICATIONS OPTION...
  local line
  line=$(build/release/bench/weft_bench --threads 2 --steps 5 "${@:3}")
  say "  ${*:3}: $line"
  echo "$1 $2 $(value ms <<<"$line") $(value peak_rss_mb <<<"$line")"
}

# tabulate TITLE, measurements on standard input
tabulate() {
  printf '\n**%s**\n\n| n | ms | peak MB |\n|---|---|---|\n' "$1"
  awk '
    function add(fit, n, y) {
      n = log(n); y = log(y)
      count[fit]++; sx[fit] += n; sy[fit] += y; sxx[fit] += n * n; sxy[fit] += n * y
    }
    function slope(fit, k) {
      k = count[fit]
      return (k * sxy[fit] - sx[fit] * sy[fit]) / (k * sxx[fit] - sx[fit] ^ 2)
    }
    {
      printf "| %d | %.4g | %.0f |\n", $1, $3, $4
      add("maths", $1, $2)
      add("ms", $1, $3)
      if (NR > 1 && $4 > memory) add("mb", $1, $4 - memory)
      memory = $4
    }
    END {
      printf "| **exponent** | **%.2f**, of the maths %.2f | **%.2f** |\n", slope("ms"),
        slope("maths"), slope("mb")
    }'
}

for n in 128 256 512 1024 2048 4096 8192; do attention $n; done |
  tabulate "Cross-attention n x n, batch 1, D 512, H 8, forward and backward"
for n in 8 16 32 64 128; do train $n 256 8000 $n; done |
  tabulate "train_small with a batch of n"
for n in 64 128 256 512; do train $n $n 8000 64; done |
  tabulate "train_small with width n, feed-forward 4 n"
for n in 2000 4000 8000 16000 32000; do train $n 256 $n 64; done |
  tabulate "train_small with a vocabulary of n"
