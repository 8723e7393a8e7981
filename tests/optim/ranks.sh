#!/usr/bin/env bash
# A program gives the same output at 1, 2, 3 and 4 ranks; a rank that dies ends the others.
# usage: ranks.sh MPIRUN PROGRAM
set -euo pipefail
mpirun=("$1" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
[ "$(id -u)" -ne 0 ] || mpirun+=(--allow-run-as-root)
program=$2
export WEFT_NUM_THREADS=1

fail() { echo "FAILED: $*" >&2; exit 1; }

alone=$("$program" 5 2>/dev/null)
for ranks in 1 2 3 4; do
  out=$("${mpirun[@]}" -n $ranks "$program" 5 2>/dev/null)
  [ "$out" = "$alone" ] || fail "$ranks ranks: '$out'; one process: '$alone'"
done
echo "$alone"

# Killed while they train: in the moment in which mpirun starts a rank it may miss its death.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${mpirun[@]}" -n 2 "$program" 1000000 >/dev/null 2>"$log" &
job=$!
for _ in $(seq 600); do
  grep -q '^update 51:' "$log" && break
  sleep 0.1
done
grep -q '^update 51:' "$log" || { kill -9 $job; fail "no 51 updates in a minute: $(cat "$log")"; }
kill -9 "$(pgrep -P $job | tail -n 1)"
timeout 60 tail --pid=$job -f /dev/null || { kill -9 $job; fail "a rank died and the others went on"; }
if wait $job; then fail "a rank died and mpirun says that all is well"; fi
