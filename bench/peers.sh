# shellcheck shell=bash disable=SC2034  # the callers read what is set here
# Sourced by the comparisons: finds PyTorch, the number of threads that suits it, and the kernels of
# OpenBLAS that suit this CPU. $PYTHON is a Python that knows torch (python3 unless set).

peers=bench/peers
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

# Sets torch to PyTorch's version, or to nothing if there is none.
find_torch() {
  torch=
  if ! torch=$("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null); then
    say "no PyTorch: $python has no torch (set PYTHON)"
  fi
}

# build_peer NAME: compiles a peer's program; prints its path.
build_peer() {
  mkdir -p build/peers
  "${CXX:-g++}" -std=c++20 -O3 -fopenmp "$peers/$1.cpp" -lopenblas -o "build/peers/$1"
  echo "build/peers/$1"
}

# Sets and exports OPENBLAS_CORETYPE to the kernels with which OpenBLAS is fastest here: those it
# picks, or an environment sets, may be half as fast. All sides of a comparison then use them.
use_fastest_core() { # FLOOR, the program gemm_floor
  local core line best=0 rate
  for core in SkylakeX Cooperlake SapphireRapids Zen Haswell Sandybridge Nehalem; do
    # A type that this CPU lacks ends in an illegal instruction, or in another type.
    line=$(OPENBLAS_CORETYPE=$core "$1" --probe 2>/dev/null) || continue
    [[ ${line,,} == *"\"${core,,}\""* ]] || continue
    rate=$(value gflop_per_s <<<"$line")
    say "  OpenBLAS with OPENBLAS_CORETYPE=$core, one thread: $rate GFLOP/s"
    if awk "BEGIN { exit !($rate > $best) }"; then
      best=$rate
      OPENBLAS_CORETYPE=$core
    fi
  done
  export OPENBLAS_CORETYPE
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
