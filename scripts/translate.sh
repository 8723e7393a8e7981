#!/usr/bin/env bash
# From a bare machine to a translator: installs what is missing, builds, trains on the built-in toy
# corpus and translates sentences that training never saw. Arguments go to `weft train`; the
# model of an earlier run is replaced, unless one of them is --resume.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh release weft_program
existing=--overwrite
[[ " $* " != *" --resume "* ]] || existing=
build/release/bin/weft train --task german --model-dir runs/toy $existing "$@"
