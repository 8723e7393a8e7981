#!/usr/bin/env bash
# The translate program from outside: trains, stops, goes on, translates, and answers bad input.
# usage: program.sh PROGRAM CASE
set -euo pipefail
program=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# A model so small that a step takes about a millisecond.
train() { # MODEL_DIR ARGS...
  local model=$1
  shift
  "$program" train --task toy --model-dir "$model" --d-model 16 --layers 1 --heads 2 --ffn 32 \
    --dropout 0.1 --max-tokens 256 --log-every 10 "$@" 2>>"$dir/log" || { cat "$dir/log" >&2; fail "train $*"; }
}

# Runs the program, which must fail with exactly one line that holds the given text.
expect_error() { # TEXT ARGS...
  local text=$1 out
  shift
  if out=$("$program" "$@" 2>&1 </dev/null >/dev/null); then fail "no error from: $*"; fi
  [ "$(wc -l <<<"$out")" = 1 ] || fail "more than one line from: $*"$'\n'"$out"
  grep -qF -- "$text" <<<"$out" || fail "expected \"$text\" from: $*; got: $out"
}

# Weights and optimizer state must be equal to the byte; the header also holds the time it took.
same_tensors() { # A B WHAT
  local skip_a skip_b
  skip_a=$(($(od -An -tu8 -N8 "$1") + 8))
  skip_b=$(($(od -An -tu8 -N8 "$2") + 8))
  cmp -i "$skip_a:$skip_b" "$1" "$2" || fail "$3"
}

case_resume() { # a run that was stopped twice, once by kill -9, ends with the very same bytes
  train "$dir/whole" --steps 60 --validate-every 20
  train "$dir/parts" --steps 20 --validate-every 20
  "$program" train --task toy --model-dir "$dir/parts" --resume --steps 60 --validate-every 20 \
    --max-tokens 256 --log-every 10 2>>"$dir/log" &
  local pid=$!
  for _ in $(seq 200); do
    grep -q '"step":40' "$dir/parts/metrics.jsonl" && break
    sleep 0.05
  done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  "$program" train --task toy --model-dir "$dir/parts" --resume --steps 60 --validate-every 20 \
    --max-tokens 256 --log-every 10 2>>"$dir/log"
  same_tensors "$dir/whole/last.safetensors" "$dir/parts/last.safetensors" "resumed weights differ"
}

case_threads() { # the same bytes at any number of threads
  for n in 1 2 3; do train "$dir/t$n" --steps 20 --threads $n; done
  same_tensors "$dir/t1/last.safetensors" "$dir/t2/last.safetensors" "2 threads differ from 1"
  same_tensors "$dir/t1/last.safetensors" "$dir/t3/last.safetensors" "3 threads differ from 1"
}

case_interrupt() { # Ctrl-C saves and ends well
  train "$dir/m" --steps 1000000 &
  local pid=$!
  for _ in $(seq 200); do
    grep -q '"step":20' "$dir/m/metrics.jsonl" 2>/dev/null && break
    sleep 0.05
  done
  pkill -INT -P $pid -f "$program" || fail "nothing to interrupt"
  wait $pid || fail "an interrupted run must exit with 0"
  [ -f "$dir/m/last.safetensors" ] || fail "no checkpoint after an interrupt"
  train "$dir/m" --resume --steps 21
}

case_run() { # a line out for each line in, whatever is in it
  train "$dir/m" --steps 20
  { echo "the dog sleeps ."; echo; printf 'the dog %.0s' $(seq 800); echo; echo "zxcvb  qwert"; printf 'no newline'; } \
    >"$dir/in"
  for beam in 1 3; do
    "$program" run --model-dir "$dir/m" --beam $beam <"$dir/in" >"$dir/out"
    [ "$(wc -l <"$dir/out")" = 5 ] || fail "expected 5 lines, got $(wc -l <"$dir/out")"
    [ -z "$(sed -n 2p "$dir/out")" ] || fail "an empty line must stay empty"
  done
  "$program" run --model-dir "$dir/m" </dev/null >"$dir/out"
  [ ! -s "$dir/out" ] || fail "no lines in, but lines out"
  "$program" show --model-dir "$dir/m" --sentence "the dog sleeps ." --svg "$dir/a.svg" | grep -q dog || fail "show"
  grep -q '</svg>' "$dir/a.svg" || fail "no picture"
  for key in task steps seconds parameters tokens_per_second exact_match bleu alignment_error_rate; do
    grep -q "\"$key\"" "$dir/m/summary.json" || fail "summary.json lacks $key"
  done
}

case_files() { # training on files, with subwords
  for i in $(seq 300); do echo "ein haus $((i * 7919 % 997)) am see"; done >"$dir/de"
  for i in $(seq 300); do echo "a house $((i * 7919 % 997)) by the lake"; done >"$dir/en"
  "$program" train --model-dir "$dir/m" --train-source "$dir/en" --train-target "$dir/de" --valid-source "$dir/en" \
    --valid-target "$dir/de" --vocab-size 60 --d-model 16 --layers 1 --heads 2 --ffn 32 --steps 10 2>"$dir/log"
  "$program" run --model-dir "$dir/m" <"$dir/en" >"$dir/out"
  "$program" score --hypothesis "$dir/out" --reference "$dir/de" --tokenize none | grep -q '^BLEU|' || fail "score"
}

case_errors() {
  printf 'a b\nc d\n' >"$dir/two"
  printf 'a b\n' >"$dir/one"
  printf 'ok\n\xff\xfe\n' >"$dir/bad"
  : >"$dir/empty"
  local files=(--train-target "$dir/two" --valid-source "$dir/two" --valid-target "$dir/two")
  expect_error "needs a corpus" train --model-dir "$dir/m"
  expect_error "--nonsense" train --task toy --model-dir "$dir/m" --nonsense
  expect_error "no/such/file" train --model-dir "$dir/m" --train-source no/such/file "${files[@]}"
  expect_error "1" train --model-dir "$dir/m" --train-source "$dir/one" "${files[@]}"
  expect_error "UTF-8" train --model-dir "$dir/m" --train-source "$dir/bad" "${files[@]}"
  expect_error "empty" train --model-dir "$dir/m" --train-source "$dir/empty" "${files[@]}"
  expect_error "heads" train --task toy --model-dir "$dir/m" --d-model 30 --heads 4
  expect_error "lr" train --task toy --model-dir "$dir/m" --lr -1
  expect_error "config.json" run --model-dir "$dir/nothing"
  expect_error "2" score --hypothesis "$dir/two" --reference "$dir/one"
  expect_error "checkpoint" train --task toy --model-dir "$dir/nothing" --resume
  if "$program" score --hypothesis "$dir/two" --reference "$dir/two" >/dev/full 2>"$dir/log"; then
    fail "a full disk must be an error"
  fi
  train "$dir/small" --steps 2
  expect_error "--seed 1" train --task toy --model-dir "$dir/small" --resume --max-tokens 256 --seed 7
  expect_error "--resume" train --task toy --model-dir "$dir/small" --steps 2
  cp -r "$dir/small" "$dir/other"
  sed -i 's/"d_model": 16/"d_model": 32/' "$dir/other/config.json"
  expect_error "best.safetensors" run --model-dir "$dir/other"
  sed -i 's/"layers": 1/"layers": 16000000/; s/"d_model": 32/"d_model": 4096/' "$dir/other/config.json"
  expect_error "parameters" run --model-dir "$dir/other"
  head -c 100 "$dir/small/best.safetensors" >"$dir/other/best.safetensors"
  cp "$dir/small/config.json" "$dir/other"
  expect_error "best.safetensors" run --model-dir "$dir/other"
}

"case_$2"
echo "ok: $2"
