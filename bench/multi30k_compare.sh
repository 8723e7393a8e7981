#!/usr/bin/env bash
# Trains the recipe of scripts/multi30k.sh in weft and in PyTorch in turn and compares how many
# target tokens a second each sees:
#   bench/multi30k_compare.sh [--minutes M] [--rounds N]
#   M  minutes of training for each run; 2 unless given
#   N  rounds; 1 unless given
# The peer is torch_multi30k.py of the folder $PEERS_DIR, run by $PYTHON, which must know torch and
# sentencepiece; see peers.sh. Seconds are those of updates: neither side counts validation.
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
  MODEL_DIR=$out/weft scripts/multi30k.sh --minutes "$minutes" >$out/weft.log 2>&1 ||
    die "weft failed; see $out/weft.log"
  value tokens_per_second <$out/weft/summary.json | awk '{ printf "%.0f\n", $1 }'
}

# torch_rate MINUTES BLAS OWN: stops the peer where its training is over and validation would begin.
torch_rate() {
  local log=$out/torch.jsonl
  : >$log
  OPENBLAS_NUM_THREADS=$2 "$python" "$peers/torch_multi30k.py" "$corpus" --minutes "$1" \
    --threads "$3" --valid-every 1e9 --out $out/torch >$log 2>$out/torch.log &
  process=$!
  trap 'kill $process 2>/dev/null' EXIT # of the subshell that this runs in
  until mean_rate "$1" <$log; do
    kill -0 $process 2>/dev/null || die "PyTorch failed; see $out/torch.log"
    sleep 0.5
  done
}

# Prints the mean over the epochs in the peer's log, if they make up so many minutes.
# A line: {"epoch": 1, "step": 508, "train_s": 921, "loss": 4.2, "tok_s": 1900}
mean_rate() {
  awk -F '[:,}]' -v minutes="$1" '
    /tok_s/ { tokens += $10 * ($6 - seconds); seconds = $6 }
    END { if (!seconds || seconds < int(60 * minutes)) exit 1; printf "%.0f\n", tokens / seconds }'
}

# Milliseconds a target token.
torch_cost() { torch_rate 0.2 "$@" | awk '{ print 1e3 / $1 }'; }

find_torch torch_multi30k.py
[ -n "$torch" ] || exit 1
setting=
: >$out/weft.rates
: >$out/torch.rates
for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds: weft for $minutes minutes (progress: $out/weft.log)"
  rate=$(weft_rate)
  say "  $rate target tokens/s"
  echo "$rate" >>$out/weft.rates
  for corpus in "${MULTI30K_DIR:-}" ../shared/multi30k data/multi30k; do # as multi30k.sh does
    [ ! -d "$corpus" ] || break
  done
  corpus=$(cd "$corpus" && pwd)
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
