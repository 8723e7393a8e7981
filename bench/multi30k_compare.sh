#!/usr/bin/env bash
# Trains the recipe of Wu et al. 2021 ("Transformer-Tiny") on Multi30K in weft and in PyTorch in turn and
# compares how many target tokens a second each sees:
#   bench/multi30k_compare.sh [--minutes M] [--rounds N]
#   M  minutes of training for each run; 2 unless given
#   N  rounds; 1 unless given
# The peer is bench/peers/torch_multi30k.py, run by $PYTHON, which must know torch and sentencepiece.
# OpenBLAS runs with the kernels that are fastest on this CPU. Seconds are those of updates: neither
# side counts validation.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/peers.sh

usage="usage: bench/multi30k_compare.sh [--minutes M] [--rounds N]"
minutes=2
rounds=1
while [ $# -gt 0 ]; do
  case $1 in
    --help) echo "$usage" && exit ;;
    --minutes)
      [[ ${2:-} =~ ^[0-9]*\.?[0-9]+$ && $2 =~ [1-9] ]] ||
        die "--minutes wants a positive number; got '${2:-}'"
      minutes=$2
      ;;
    --rounds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--rounds wants a positive number; got '${2:-}'"
      rounds=$2
      ;;
    *) die "unknown argument '$1'; $usage" ;;
  esac
  shift 2
done

out=build/multi30k_compare
mkdir -p $out

weft_rate() {
  TEACHERS=0 MODEL_DIR=$out/weft scripts/multi30k.sh --vocab-size 10000 --schedule inverse-square-root --accumulate 1 \
    --average 0 --validate-every 0 --minutes "$minutes" >$out/weft.log 2>&1 ||
    die "weft failed; see $out/weft.log"
  value tokens_per_second <$out/weft/summary.json | awk '{ printf "%.0f\n", $1 }'
}

# Where multi30k.sh, which ran before, found the corpus or put it.
find_corpus() {
  for corpus in "${MULTI30K_DIR:-}" ../shared/multi30k data/multi30k; do
    [ ! -d "$corpus" ] || break
  done
  corpus=$(cd "$corpus" && pwd)
}

# torch_rate MINUTES BLAS OWN
torch_rate() {
  OPENBLAS_NUM_THREADS=$2 "$python" "$peers/torch_multi30k.py" "$corpus" --minutes "$1" \
    --threads "$3" >$out/torch.jsonl 2>$out/torch.log || die "PyTorch failed; see $out/torch.log"
  value tokens_per_s <$out/torch.jsonl | tail -n 1
}

# Milliseconds a target token.
torch_cost() { torch_rate 0.2 "$@" | awk '{ print 1e3 / $1 }'; }

find_torch
[ -n "$torch" ] || exit 1
use_fastest_core "$(build_peer gemm_floor)"
setting=
: >$out/weft.rates
: >$out/torch.rates
for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds: weft for $minutes minutes (progress: $out/weft.log)"
  rate=$(weft_rate)
  say "  $rate target tokens/s"
  echo "$rate" >>$out/weft.rates
  find_corpus
  [ -n "$setting" ] || setting=$(fastest_setting torch_cost)
  say "round $round of $rounds: PyTorch for $minutes minutes (progress: $out/torch.jsonl)"
  # shellcheck disable=SC2086  # two words
  rate=$(torch_rate "$minutes" $setting)
  say "  $rate target tokens/s"
  echo "$rate" >>$out/torch.rates
done

echo
echo "Medians of $rounds round(s) of $minutes minutes. PyTorch $torch has the best of four" \
  "settings, found in a short pass: OPENBLAS_NUM_THREADS=${setting% *} --threads ${setting#* }."
echo
echo "| | target tokens/s |"
echo "|---|---|"
paste -d ' ' <(median <$out/weft.rates) <(median <$out/torch.rates) | awk '
  { printf "| weft | %.0f |\n| PyTorch | %.0f |\n| weft / PyTorch | %.2f |\n", $1, $2, $1 / $2 }'
