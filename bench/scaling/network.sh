#!/usr/bin/env bash
# Times steps of a stand-in that sleeps on hosts with slow links (hosts.sh), for the model's costs
# and its check. Hosts share this machine's cores, so it says nothing about computing. About 5
# minutes on a quiet machine; for root. Writes results/network.jsonl and results/timeline.jsonl.
#   bench/scaling/network.sh
set -euo pipefail
cd "$(dirname "$0")"
bench=$(realpath ../../build/release/bench/ranks_bench)
mkdir -p results
out=results/network.jsonl
: >"$out.new"

# point FIT HOSTS MBIT DELAY STEPS OPTION...; FIT: whether the model's costs are fitted to it
point() {
  local line
  line=$(./hosts.sh "$2" "${3}mbit" "$4" "$bench" --steps "$5" "${@:6}")
  echo "${line%\}}, \"fit\": $1, \"hosts\": $2, \"mbit\": $3, \"delay_ms\": $4, \"work\": \"$7\"}" |
    tee -a "$out.new"
}

small=20,500000,200 # layers, parameters, milliseconds of a part
large=20,2600000,200
buckets="--bucket-mb 0.25"
# shellcheck disable=SC2086
{
  point true 1 100 0 5 --sleep $small $buckets
  point true 1 100 0 5 --sleep $large
  point true 2 10 0 3 --sleep $small $buckets
  point true 2 100 0 5 --sleep $large
  point true 2 100 5 5 --sleep $large
  point true 4 20 0 3 --sleep $small $buckets
  point true 4 100 0 5 --sleep $large
  point true 4 100 5 5 --sleep $large --bucket-mb 0.25
  point true 4 100 0 5 --sleep $large --sharded
  # What the model has not seen.
  point false 3 50 2 5 --sleep $large
  point false 4 100 20 3 --sleep $small $buckets
  point false 4 50 0 3 --sleep $large --parts 12
  point false 6 100 2 5 --sleep $large --bucket-mb 1
  point false 4 20 0 20 --sleep $small --local-steps 10
}
mv "$out.new" "$out"
./hosts.sh 4 100mbit 0 "$bench" --sleep 20,2600000,1500 --bucket-mb 1 --steps 3 \
  --timeline "$PWD/results/timeline.jsonl"
