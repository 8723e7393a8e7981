# shellcheck shell=bash
# What the tests of the program share: sourced with PROGRAM as the first argument.
program=$1 # shellcheck disable=SC2034
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# A small corpus and a model so small that a step takes about a millisecond.
small=(--d-model 16 --layers 1 --heads 2 --ffn 32 --dropout 0.1 --max-tokens 256 --log-every 10)
for i in $(seq 300); do echo "ein haus $((i * 7919 % 997)) am see"; done >"$dir/de"
for i in $(seq 300); do echo "a house $((i * 7919 % 997)) by the lake"; done >"$dir/en"
head -n 20 "$dir/de" >"$dir/valid.de"
head -n 20 "$dir/en" >"$dir/valid.en"
corpus=(--train-source "$dir/en" --train-target "$dir/de" --valid-source "$dir/valid.en"
  --valid-target "$dir/valid.de" --vocab-size 60)

train_command=("$program" train "${corpus[@]}" "${small[@]}")

train() { # MODEL_DIR ARGS...
  "${train_command[@]}" --model-dir "$@" >>"$dir/log" 2>&1 ||
    { cat "$dir/log" >&2; fail "train $*"; }
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
