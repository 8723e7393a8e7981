#!/usr/bin/env bash
# Memory errors and leaks as valgrind sees them, in uninstrumented code, BLAS included: every op's
# gradient check, and ten training steps of a small model. valgrind knows no AVX-512, so the AVX2
# copies of the kernels run.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh valgrind
scripts/setup.sh release test_autograd test_optim
export WEFT_CPU=avx2 WEFT_NUM_THREADS=2
check=(valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite)

"${check[@]}" build/release/tests/test_optim "ten training steps give PyTorch's losses"
"${check[@]}" build/release/tests/test_autograd "every op passes the gradient check"
