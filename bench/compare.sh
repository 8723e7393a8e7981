#!/usr/bin/env bash
# Times weft, the floor (only the matrix products of a training step) and the peer (PyTorch) in
# turn, two threads each, and prints a table of medians, and what this CPU can do beside it; then
# one of training with operands of bfloat16 and with instructions up to AVX2, where it has others:
#   bench/compare.sh [--rounds N] [CASE...]
#   CASE  a case of weft_bench; all of them if none is named
#   N     rounds; 3 unless given
# The peers are in bench/peers; $PYTHON (python3 unless set) should know torch, or its columns stay
# empty. OpenBLAS runs with the kernels that are fastest on this CPU; the table says which.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/peers.sh

usage="usage: bench/compare.sh [--rounds N] [CASE...]"
rounds=3
cases=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) echo "$usage" && exit ;;
    --rounds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--rounds wants a positive number; got '${2:-}'"
      rounds=$2
      shift
      ;;
    -*) die "unknown option '$1'; $usage" ;;
    *)
      cases+=("$1")
      ;;
  esac
  shift
done
out=build/compare
scripts/setup.sh release weft_bench
weft_bench=build/release/bench/weft_bench
mkdir -p $out
results=$out/results.tsv # side, case, milliseconds, peak memory in MB, GFLOP: a line for each run
: >$results

declare -A work # case -> the option that stands for its work, the same in weft_bench and the peers
all=()
while read -r name option; do
  all+=("$name")
  work[$name]=$option
done < <($weft_bench --list)
for name in "${cases[@]}"; do
  [ -n "${work[$name]:-}" ] || die "no case '$name'; cases: ${all[*]}"
done
[ ${#cases[@]} -gt 0 ] || cases=("${all[@]}")

floor=$(build_peer gemm_floor)
say "what this CPU can do"
peak=$("$(build_peer peak)" 2)
bf16_peak=$(value bf16_gflop_per_s <<<"$peak") # empty where it has no such instructions
avx2_peak=
[[ $peak == *'"avx2"'* ]] || avx2_peak=$(value avx2_gflop_per_s <<<"$peak")
use_fastest_core "$floor"
find_torch

# note SIDE CASE KEY: takes the milliseconds, at KEY, from a line of JSON on standard input
note() {
  local line ms memory gflop
  line=$(cat)
  ms=$(value "$3" <<<"$line")
  memory=$(value peak_rss_mb <<<"$line")
  gflop=$(value gflop <<<"$line")
  printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$ms" "$memory" "$gflop" >>$results
  say "  $2, $1: $(printf %.4g "$ms") ms"
}

# run_torch STEPS CASE BLAS OWN: a line of JSON from the peer
run_torch() {
  # shellcheck disable=SC2086  # an option and its value
  OPENBLAS_NUM_THREADS=$3 "$python" "$peers/torch_bench.py" ${work[$2]} --threads "$4" \
    --steps "$1" 2>>$out/torch.log || die "PyTorch failed in $2; see $out/torch.log"
}

# steps_of CASE LARGE: as many steps as the case deserves, LARGE if it is no toy
steps_of() { [[ $1 == *_toy || $1 == op_overhead ]] && echo 40 || echo "$2"; }

torch_cost() { run_torch "$@" | value ms; }

declare -A setting # case -> OpenBLAS's threads and PyTorch's
if [ -n "$torch" ]; then
  for name in "${cases[@]}"; do
    say "the peer's best setting for $name, in a short pass"
    setting[$name]=$(fastest_setting torch_cost "$(steps_of "$name" 5)" "$name")
  done
fi

for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds"
  for name in "${cases[@]}"; do
    # shellcheck disable=SC2086  # an option and its value
    [[ ${work[$name]} != --train* ]] || $floor 2 ${work[$name]#--train } | note floor "$name" ms
    $weft_bench --threads 2 --case "$name" | note weft "$name" ms
    # shellcheck disable=SC2086  # two words
    [ -z "$torch" ] || run_torch "$(steps_of "$name" 9)" "$name" ${setting[$name]} | note torch "$name" ms
    [ "$name" != train_small ] ||
      $weft_bench --threads 1 --case "$name" | note one_thread "$name" ms
    [[ $name == train_* ]] || continue
    [ -z "$bf16_peak" ] || $weft_bench --threads 2 --bf16 --case "$name" | note bf16 "$name" ms
    [ -z "$avx2_peak" ] || OPENBLAS_CORETYPE=Haswell WEFT_CPU=avx2 \
      $weft_bench --threads 2 --case "$name" | note avx2 "$name" ms
  done
done

echo
echo "Medians of $rounds round(s), two threads. Milliseconds of op_overhead: microseconds of an op."
echo "OpenBLAS with OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE. This CPU, two threads, in registers:" \
  "$(value gflop_per_s <<<"$peak") GFLOP/s${avx2_peak:+ (AVX2: $avx2_peak)}${bf16_peak:+ (bfloat16: $bf16_peak)};" \
  "to and from memory: $(value gbyte_per_s <<<"$peak") GB/s."
echo "Of peak: the time that a case's products would take at the peak, over its own."
[ -z "$torch" ] || echo "PyTorch $torch has the best of four settings for each case," \
  "OPENBLAS_NUM_THREADS x --threads, found in a short pass before the rounds."
# of SIDE FIELD: the median of a field of the results, for the case $name
of() { awk -F '\t' -v key="$1 $name" -v f="$2" '$1 " " $2 == key { print $f }' $results | median; }

echo
# What the awk programs share. of_peak: GFLOP in so many milliseconds, of a peak in GFLOP/s.
cells='
  function ms(x) { return x == "" ? "" : sprintf(x < 10 ? "%.3f" : x < 100 ? "%.1f" : "%.0f", x) }
  function mb(x) { return x == "" ? "" : sprintf("%.0f", x) }
  function ratio(a, b) { return a == "" || b == "" ? "" : sprintf("%.2f", a / b) }
  function of_peak(gflop, time, peak) {
    return gflop == "" || time == "" ? "" : sprintf("%.0f %%", 1e5 * gflop / time / peak)
  }
  BEGIN { OFS = " | " }'

for name in "${cases[@]}"; do
  echo "$name,$(of weft 3),$(of floor 3),$(of torch 3),${setting[$name]:-},$(of weft 4),$(
    of torch 4),$(of one_thread 3),$(of weft 5)"
done | awk -F , -v peak="$(value gflop_per_s <<<"$peak")" "$cells"'
  BEGIN {
    print "| case", "weft ms", "of peak", "floor ms", "weft / floor", "PyTorch ms", "its threads",
      "PyTorch / weft", "weft MB", "PyTorch MB |"
    print "|---|---|---|---|---|---|---|---|---|---|"
  }
  {
    sub(" ", " x ", $5)
    print "| " $1, ms($2), of_peak($9, $2, peak), ms($3), ratio($2, $3), ms($4), $5, ratio($4, $2),
      mb($6), mb($7) " |"
    if ($8 != "") one = $1 " with one thread: " ms($8) " ms, " ratio($8, $2) " times as long"
  }
  END { if (one) print "\n" one }'

echo
for name in "${cases[@]}"; do
  [[ $name != train_* ]] || echo "$name,$(of weft 3),$(of bf16 3),$(of avx2 3),$(of weft 5)"
done | awk -F , -v bf16="$bf16_peak" -v avx2="$avx2_peak" "$cells"'
  NR == 1 {
    print "| case", "float32 ms", "bfloat16 ms", "of its peak", "gain", "AVX2 ms", "of its peak",
      "AVX2 / float32 |"
    print "|---|---|---|---|---|---|---|---|"
  }
  {
    print "| " $1, ms($2), ms($3), of_peak($5, $3, bf16), ratio($2, $3), ms($4),
      of_peak($5, $4, avx2), ratio($4, $2) " |"
  }'
echo
echo "every run: $results"
