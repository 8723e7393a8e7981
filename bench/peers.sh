# shellcheck shell=bash disable=SC2034  # the callers read what is set here
# Sourced by the comparisons: finds the peers' programs and PyTorch, and how many threads suit it.
# $PEERS_DIR holds the peers' programs (../shared/peers unless set); $PYTHON is a Python that knows
# torch (python3 unless set).

peers=${PEERS_DIR:-../shared/peers}
[ ! -d "$peers" ] || peers=$(cd "$peers" && pwd)
python=${PYTHON:-python3}
export LC_ALL=C.UTF-8 # decimal points

say() { echo "$*" >&2; }

die() {
  say "$(basename "$0"): $1"
  exit 1
}

# Prints the number that a line or file of JSON, flat, holds under a key: value KEY <FILE
value() { sed -n "s/.*\"$1\": *\([-+0-9.e]*\).*/\1/p"; }

# The median of the numbers on standard input; nothing of nothing.
median() {
  sort -g | awk '{ v[NR] = $1 }
    END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Sets torch to PyTorch's version if it can run program $1 of the peers, else to nothing.
find_torch() {
  torch=
  if [ ! -r "$peers/$1" ]; then
    say "no PyTorch: $peers has no $1 (set PEERS_DIR)"
  elif ! torch=$("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null); then
    say "no PyTorch: $python has no torch (set PYTHON)"
  fi
}

# OpenBLAS's threads and PyTorch's own disturb each other, so the best of four settings counts.
# fastest_setting COMMAND...: the two numbers of threads, OpenBLAS's and PyTorch's, with which
# COMMAND, called with them as its last arguments, prints the smallest cost.
fastest_setting() {
  local blas own cost
  for blas in 1 2; do
    for own in 1 2; do
      cost=$("$@" "$blas" "$own") || return 1
      say "  PyTorch with OPENBLAS_NUM_THREADS=$blas --threads $own: $(printf %.4g "$cost")"
      echo "$cost $blas $own"
    done
  done | sort -g | head -n 1 | cut -d ' ' -f 2-
}
