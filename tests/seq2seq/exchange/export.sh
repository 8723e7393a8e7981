#!/usr/bin/env bash
# `weft export`: what it writes translates as `weft run --beam 1` does.
# usage: export.sh PROGRAM torch|errors|onnx
set -euo pipefail
root=$(realpath "$(dirname "$0")/../../..")
program=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*" >&2; exit 1; }

skip() { echo "export: skipped: $*"; exit 77; }

expect_error() { # TEXT ARGS...
  local text=$1 out
  shift
  if out=$("$program" "$@" 2>&1 >/dev/null); then fail "no error from: $*"; fi
  grep -qF -- "$text" <<<"$out" || fail "expected \"$text\" from: $*; got: $out"
}

# Sentences of one to nine words, and the same backwards.
words() { awk -v n="$1" -v seed="$2" 'BEGIN {
  srand(seed)
  split("red green blue grün weiß naïve 漢字 a ab abc", word, " ")
  for (i = 0; i < n; ++i) {
    s = t = ""
    for (k = int(1 + 9 * rand()); k > 0; --k) { w = word[int(1 + 10 * rand())]; s = s " " w; t = w " " t }
    print substr(s, 2) "\t" substr(t, 1, length(t) - 1)
  }
}'; }

small=(--layers 1 --d-model 16 --steps 30 --warmup 10 --lr 1e-2 --max-tokens 512 --threads 1)
train_gru() { # MODEL_DIR ARGS...
  "$program" train --data pairs.tsv "${small[@]}" --model gru --model-dir "$@" >log 2>&1 ||
    { cat log >&2; fail "train $*"; }
}
train() { # MODEL_DIR ARGS...
  "$program" train --data pairs.tsv "${small[@]}" --heads 2 --ffn 32 --model-dir "$@" >log 2>&1 ||
    { cat log >&2; fail "train $*"; }
}

# The same texts for all lines of the input, and log-probabilities to a ten-thousandth.
same_translations() { # WHAT RUN OTHER, as `weft run --n-best 1` prints them and as translate_lines.mjs does
  [ "$(wc -l <"$2")" = "$(wc -l <"$3")" ] || fail "$1: $(wc -l <"$2") and $(wc -l <"$3") lines"
  paste "$2" "$3" | awk -F '\t' -v what="$1" '
    $1 != $5 || $4 != $7 { print what ": line " $1 ": \"" $4 "\", exported \"" $7 "\""; bad = 1 }
    { d = $3 - $6; d = d < 0 ? -d : d; size = $3 < -1 ? -$3 : 1; if (d > most * size) most = d / size }
    END {
      printf "%s: %d sentences, log-probabilities differ by %.1e at most\n", what, NR, most
      exit bad || most > 1e-4
    }' || fail "$1"
}

by_weft() { "$program" run --n-best 1 --beam 1 --model-dir "$1" <"$2"; }

case_errors() {
  expect_error "see weft export --help" export
  words 50 1 >pairs.tsv
  train_gru gru --tokens char
  expect_error "export: say what to write" export --model-dir gru
  expect_error "export: --model must be transformer; got gru in gru" export --model-dir gru --onnx out
  for option in "--positions rotary" "--positions relative" "--positions alibi" "--positions transformer-xl" "--activation swiglu" "--qk-norm"; do
    # shellcheck disable=SC2086  # an option and its value
    train m --overwrite --tokens char $option
    expect_error "got $option" export --model-dir m --torch out
  done
  [ ! -e out ] || fail "an export that cannot be leaves something behind"
  train m --overwrite --tokens char
  expect_error "export: --torch: expected a folder without a model; got m, which holds one" export --model-dir m --torch m
  expect_error "export: cannot create '/dev/null/out': Not a directory" export --model-dir m --torch /dev/null/out
  printf 'damaged' | dd of=m/best.safetensors bs=1 seek=2000 conv=notrunc status=none
  expect_error "best.safetensors" export --model-dir m --torch out
  [ ! -e out ] || fail "an export of a damaged model leaves something behind"
}

case_torch() { # into PyTorch's form and back: the same translations
  words 300 1 >pairs.tsv
  words 40 2 | cut -f 1 >lines
  local options
  for options in "--tokens word" "--tokens char --positions learned --norm pre --activation gelu --embeddings separate" \
    "--tokens subword --vocab-size 60 --positions none --encoder-layers 2" \
    "--tokens char --share-layers --layers 2"; do
    # shellcheck disable=SC2086  # several options
    train m --overwrite $options
    rm -rf torch
    "$program" export --model-dir m --torch torch || fail "export of $options"
    by_weft m lines >expected
    by_weft torch lines >found
    cmp expected found || fail "$options: other translations"
  done
}

# Where the npm package onnxruntime-web is installed: scripts/onnxruntime.sh puts it there.
runtime=${WEFT_ONNXRUNTIME:-$root/build/onnxruntime}

case_onnx() {
  command -v node >/dev/null || skip "Node.js (Debian: nodejs) is missing"
  [ -d "$runtime/node_modules/onnxruntime-web" ] || skip "ONNX Runtime (scripts/onnxruntime.sh) is missing"
  words 300 1 >pairs.tsv
  { words 40 2 | cut -f 1; printf '\n \nunseen wörds 漢 字\u2028x\nred  green\tblue \n'; } >lines
  local options
  for options in "--tokens char" \
    "--tokens word --positions learned --norm pre --activation gelu --embeddings separate" \
    "--tokens subword --vocab-size 60 --positions relative --activation swiglu --qk-norm" \
    "--tokens char --positions rotary --qk-norm --norm pre" \
    "--tokens word --positions alibi --heads 3 --d-model 24 --layers 2" \
    "--tokens char --positions transformer-xl --share-layers --layers 3" \
    "--tokens subword --vocab-size 50 --positions none --encoder-layers 2 --decoder-layers 3"; do
    # shellcheck disable=SC2086  # several options
    train m --overwrite $options
    compare "$options" m lines
  done
  printf 'red green blue\nblack white\nred\nred purple\n' >lines
  local model
  for model in reverser learned bare; do
    compare "$model" "$root/tests/fixtures/torch_models/$model" lines
  done
}

compare() { # WHAT MODEL_DIR LINES
  rm -rf onnx
  "$program" export --model-dir "$2" --onnx onnx || fail "export of $1"
  by_weft "$2" "$3" >expected 2>log
  node "$root/tests/seq2seq/exchange/translate_lines.mjs" "$runtime" onnx <"$3" >found || fail "translation of $1"
  same_translations "$1" expected found
}

"case_$2"
echo "ok: $2"
