#!/usr/bin/env bash
# Times training of two Transformers on this machine's cores, cut into ranks and threads in different
# ways; as root also what network.sh times. For a machine that does nothing else; 10 minutes on two
# cores. Writes results/; report.py makes docs/scaling.md's tables and plots of it.
#   bench/scaling/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh release ranks_bench delay
bench=build/release/bench/ranks_bench
out=bench/scaling/results/cores.jsonl
mkdir -p bench/scaling/results
: >"$out.new"
mpirun=(mpirun --bind-to none)
[ "$(id -u)" -ne 0 ] || mpirun+=(--allow-run-as-root)

# What a message costs: hundreds of small buckets over TCP, each rank with a core of its own. For the
# model, a network with a point that is fitted.
message_costs() { # RANKS
  local work=100,100000,0 line
  line=$("${mpirun[@]}" --mca btl tcp,self -n "$1" "$bench" --sleep $work --bucket-mb 0.001 --steps 10)
  echo "${line%\}}, \"fit\": true, \"mbit\": 20000, \"delay_ms\": 0, \"work\": \"$work\"}" |
    tee -a "$out.new"
}
message_costs 1
message_costs 2

# time_steps MODEL RANKS OPTION...
time_steps() {
  local line sizes
  case $1 in # the same work in an update, however it is cut
    2.6M) sizes=128,512,4,3,3,3150,32,32,32 ;;
    60M) sizes=512,2048,8,6,6,10300,8,32,32 ;;
  esac
  line=$("${mpirun[@]}" -n "$2" "$bench" --train "$sizes" "${@:3}")
  echo "${line%\}}, \"model\": \"$1\"}" | tee -a "$out.new"
}

for model in 2.6M 60M; do
  steps=20
  [ $model = 2.6M ] || steps=2
  for _ in 1 2; do # in turn, so that a slow minute shows
    time_steps $model 1 --parts 2 --threads 1 --steps $steps
    time_steps $model 1 --parts 2 --threads 2 --steps $steps
    time_steps $model 2 --parts 2 --threads 1 --steps $steps
    time_steps $model 2 --parts 2 --threads 1 --steps $steps --sharded
  done
done
"${mpirun[@]}" -n 2 "$bench" --train 128,512,4,3,3,3150,32,32,32 --bucket-mb 1 --steps 5 \
  --timeline bench/scaling/results/cores-timeline.jsonl
mv "$out.new" "$out"
if [ "$(id -u)" -eq 0 ]; then bench/scaling/network.sh; fi
