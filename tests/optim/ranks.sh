#!/usr/bin/env bash
# A program gives the same output at 1, 2, 3 and 4 ranks; a rank that fails ends all of them.
# usage: ranks.sh MPIRUN PROGRAM ARGS...
set -euo pipefail
mpirun=("$1" --oversubscribe --bind-to none)
[ "$(id -u)" -ne 0 ] || mpirun+=(--allow-run-as-root)
shift
export WEFT_NUM_THREADS=1

alone=$("$@" 2>/dev/null)
for ranks in 1 2 3 4; do
  out=$("${mpirun[@]}" -n $ranks "$@" 2>/dev/null)
  [ "$out" = "$alone" ] || { echo "FAILED: $ranks ranks: '$out'; one process: '$alone'" >&2; exit 1; }
done
echo "$alone"
