#!/usr/bin/env bash
# Times weft, the floor (only the matrix products of a training step) and the peer (PyTorch) in
# turn, two threads each, and prints a table of medians:
#   bench/compare.sh [--rounds N] [CASE...]
#   CASE  a case of weft_bench; all of them if none is named
#   N     rounds; 3 unless given
# The floor is gemm_limit.cpp of the folder $PEERS_DIR, the peer torch_bench.py, run by $PYTHON; see
# peers.sh. A column whose program is missing stays empty.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/peers.sh

all=(train_toy train_tiny train_small train_base cross_toy cross_mid cross_long cross_4k
  op_overhead)
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
      [[ " ${all[*]} " == *" $1 "* ]] || die "no case '$1'; cases: ${all[*]}"
      cases+=("$1")
      ;;
  esac
  shift
done
[ ${#cases[@]} -gt 0 ] || cases=("${all[@]}")

out=build/compare
scripts/setup.sh release weft_bench
mkdir -p $out
results=$out/results.tsv # side, case, milliseconds, peak memory in MB: a line for each run
: >$results

floor=
if [[ " ${cases[*]}" != *" train_"* ]]; then
  say "no floor: it is known for training steps only"
elif [ ! -r "$peers/gemm_limit.cpp" ]; then
  say "no floor: $peers has no gemm_limit.cpp (set PEERS_DIR)"
else
  floor=$out/gemm_limit
  "${CXX:-g++}" -O3 -fopenmp "$peers/gemm_limit.cpp" -lopenblas -o $floor
fi
find_torch torch_bench.py

# note SIDE CASE KEY: takes the milliseconds, at KEY, from a line of JSON on standard input
note() {
  local line ms memory
  line=$(cat)
  ms=$(value "$3" <<<"$line")
  memory=$(value peak_rss_mb <<<"$line")
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$ms" "$memory" >>$results
  say "  $2, $1: $(printf %.4g "$ms") ms"
}

# run_torch STEPS CASE BLAS OWN: a line of JSON from the peer; 0 steps are its own default
run_torch() {
  OPENBLAS_NUM_THREADS=$3 "$python" "$peers/torch_bench.py" \
    --threads "$4" --case "$2" --steps "$1" 2>>$out/torch.log ||
    die "PyTorch failed in $2; see $out/torch.log"
}

torch_cost() { run_torch "$@" | value ms; }

declare -A setting # case -> OpenBLAS's threads and PyTorch's
if [ -n "$torch" ]; then
  for name in "${cases[@]}"; do
    say "the peer's best setting for $name, in a short pass"
    steps=5
    [[ $name != *_toy && $name != op_overhead ]] || steps=0
    setting[$name]=$(fastest_setting torch_cost $steps "$name")
  done
fi

for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds"
  if [ -n "$floor" ]; then # the program has no choice of cases
    products=$($floor 2)
    for name in "${cases[@]}"; do
      line=$(grep "\"$name\"" <<<"$products") || continue
      note floor "$name" gemm_ms <<<"$line"
    done
  fi
  for name in "${cases[@]}"; do
    build/release/bench/weft_bench --threads 2 --case "$name" | note weft "$name" ms
    # shellcheck disable=SC2086  # two words
    [ -z "$torch" ] || run_torch 0 "$name" ${setting[$name]} | note torch "$name" ms
    [ "$name" != train_small ] ||
      build/release/bench/weft_bench --threads 1 --case "$name" | note one_thread "$name" ms
  done
done

echo
echo "Medians of $rounds round(s), two threads. Milliseconds of op_overhead: microseconds of an op."
[ -z "$torch" ] || echo "PyTorch $torch has the best of four settings for each case," \
  "OPENBLAS_NUM_THREADS x --threads, found in a short pass before the rounds."
# of SIDE FIELD: the median of a field of the results, for the case $name
of() { awk -F '\t' -v key="$1 $name" -v f="$2" '$1 " " $2 == key { print $f }' $results | median; }

echo
for name in "${cases[@]}"; do
  echo "$name,$(of weft 3),$(of floor 3),$(of torch 3),${setting[$name]:-},$(of weft 4),$(
    of torch 4),$(of one_thread 3)"
done | awk -F , '
  function ms(x) { return x == "" ? "" : sprintf(x < 10 ? "%.3f" : x < 100 ? "%.1f" : "%.0f", x) }
  function mb(x) { return x == "" ? "" : sprintf("%.0f", x) }
  function ratio(a, b) { return a == "" || b == "" ? "" : sprintf("%.2f", a / b) }
  BEGIN {
    OFS = " | "
    print "| case", "weft ms", "floor ms", "weft / floor", "PyTorch ms", "its threads",
      "PyTorch / weft", "weft MB", "PyTorch MB |"
    print "|---|---|---|---|---|---|---|---|---|"
  }
  {
    sub(" ", " x ", $5)
    print "| " $1, ms($2), ms($3), ratio($2, $3), ms($4), $5, ratio($4, $2), mb($6), mb($7) " |"
    if ($8 != "") one = $1 " with one thread: " ms($8) " ms, " ratio($8, $2) " times as long"
  }
  END { if (one) print "\n" one }'
echo
echo "every run: $results"
