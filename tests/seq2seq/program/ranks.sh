#!/usr/bin/env bash
# `weft train` on several ranks: the same bits as on one, whatever happens on the way.
# usage: ranks.sh PROGRAM CASE [MPIRUN]
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
mpirun=$(command -v "${3:-mpirun}") || { echo "skipped: there is no mpirun"; exit 77; }
ranks=("$mpirun" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
[ "$(id -u)" -ne 0 ] || ranks+=(--allow-run-as-root)
export WEFT_NUM_THREADS=1

# Dropout is on, and the last update of an epoch has fewer parts than the others.
recipe=("${corpus[@]}" "${small[@]}" --accumulate 4 --validate-every 8)

train_on() { # RANKS MODEL_DIR ARGS...
  local n=$1
  shift
  "${ranks[@]}" -n "$n" "$program" train --model-dir "$@" >"$dir/out" 2>"$dir/log" ||
    { cat "$dir/log" >&2; fail "train on $n ranks: $*"; }
}

alone() { # MODEL_DIR ARGS...
  "$program" train --model-dir "$@" >"$dir/out" 2>"$dir/log" || { cat "$dir/log" >&2; fail "train $*"; }
}

untimed() { sed 's/"\(seconds\|tokens_per_second\)": *[^,}]*//g' "$1"; }

same_run() { # A B: all files, but for times and the name of the run
  local file
  for file in last best; do same_tensors "$1/$file.safetensors" "$2/$file.safetensors" "$file of $1 is not that of $2"; done
  for file in metrics.jsonl summary.json; do
    diff <(untimed "$1/$file") <(untimed "$2/$file") >&2 || fail "$file of $1 is not that of $2"
  done
  cmp "$1/film.jsonl" "$2/film.jsonl" || fail "the films of $1 and $2"
  diff <(head -n -1 "$1/run.toml") <(head -n -1 "$2/run.toml") >&2 || fail "the settings of $1 and $2"
}

wait_for() { # TEXT FILE
  for _ in $(seq 600); do
    grep -q -- "$1" "$2" 2>/dev/null && return
    sleep 0.05
  done
  fail "no $1 in $2"
}

case_bits() { # the number of ranks is nothing to the result
  alone "$dir/m0" "${recipe[@]}" --steps 24
  for n in 1 2 3 4 5; do
    train_on $n "$dir/m$n" "${recipe[@]}" --steps 24
    same_run "$dir/m0" "$dir/m$n"
    [ "$(grep -c 'validation: loss' "$dir/log")" = 3 ] || fail "$n ranks must speak as one: $(cat "$dir/log")"
    [ "$(grep -c '^training ' "$dir/out")" = 1 ] || fail "$n ranks must report once"
  done
  grep -q '^warning: 1 of 5 ranks have nothing to do: an update has --accumulate 4 batches$' "$dir/log" || fail "idle ranks"
  train_on 4 "$dir/default" "${corpus[@]}" "${small[@]}" --validate-every 8 --steps 24
  same_run "$dir/m0" "$dir/default" # a part for each rank
}

case_elastic() { # a run goes on with another number of ranks
  local more=(--curriculum short-first --curriculum-steps 20 --tensorboard)
  alone "$dir/whole" "${recipe[@]}" "${more[@]}" --steps 24
  train_on 4 "$dir/m" "${recipe[@]}" "${more[@]}" --steps 10
  train_on 2 "$dir/m" --resume --steps 17
  train_on 3 "$dir/m" --resume --steps 24
  for file in last best; do
    same_tensors "$dir/whole/$file.safetensors" "$dir/m/$file.safetensors" "$file of an elastic run differs"
  done
  [ "$(find "$dir/m" -name 'events.out.tfevents.*' | wc -l)" = 3 ] || fail "a file of events for each start, of rank 0 alone"
}

case_sharded() { # each rank keeps its share of the optimizer's state: the same bits, and the same files
  local optimizer n
  for optimizer in adam muon; do
    alone "$dir/$optimizer" "${recipe[@]}" --clip 1 --optimizer $optimizer --steps 24
    for n in 1 2 3; do
      train_on $n "$dir/$optimizer$n" "${recipe[@]}" --clip 1 --optimizer $optimizer --steps 24 --save-every 5 --shard-optimizer
      for file in last best; do
        same_tensors "$dir/$optimizer/$file.safetensors" "$dir/$optimizer$n/$file.safetensors" "$optimizer, $n ranks: $file"
      done
    done
  done
  # On with other ranks, and whole again.
  train_on 4 "$dir/m" "${recipe[@]}" --clip 1 --optimizer adam --steps 10 --shard-optimizer
  train_on 2 "$dir/m" --resume --steps 17
  grep -q '^shard-optimizer = true$' "$dir/m/run.toml" || fail "the run forgot to shard"
  train_on 3 "$dir/m" --resume --steps 21 --shard-optimizer=false
  grep -q '^shard-optimizer = false$' "$dir/m/run.toml" || fail "the run went on sharding"
  alone "$dir/m" --resume --steps 24
  same_tensors "$dir/adam/last.safetensors" "$dir/m/last.safetensors" "an elastic sharded run differs"
  # A signal, while a new run has no best model yet.
  "${ranks[@]}" -n 2 "$program" train --model-dir "$dir/m" "${recipe[@]}" --steps 1000000 --validate-every 1000000 \
    --overwrite --shard-optimizer >"$dir/out" 2>"$dir/log" &
  local job=$! status=0 step
  wait_for '"step":20' "$dir/m/new-run/metrics.jsonl"
  kill -TERM "$(pgrep -P $job | tail -n 1)"
  wait $job || status=$?
  [ $status = 143 ] || fail "exit status $status; $(cat "$dir/log")"
  step=$(sed -n "s/^interrupted by SIGTERM at step \([0-9]*\);.*/\1/p" "$dir/log")
  train_on 3 "$dir/m" --resume --steps $((step + 2))
}

case_local() { # ranks that take local steps: the same bits again, and on from where they meet
  local steps=("${recipe[@]}" --steps 48 --local-steps 8) n step
  for n in 1 2 3; do
    train_on $n "$dir/m$n" "${steps[@]}"
    train_on $n "$dir/again$n" "${steps[@]}"
    same_run "$dir/m$n" "$dir/again$n"
  done
  cmp -s "$dir/m1/last.safetensors" "$dir/m2/last.safetensors" && fail "ranks that trained alone are one rank"
  [ "$(grep -c 'validation: loss' "$dir/log")" = 6 ] || fail "ranks must speak as one: $(cat "$dir/log")"
  # A limit in the middle is one at the next meeting, and so is a save.
  train_on 3 "$dir/m" "${steps[@]}" --steps 20 --save-every 5
  grep -q '^stopped at step 24: --steps 20$' "$dir/log" || fail "where it stopped: $(cat "$dir/log")"
  expect_once ".*LocalSgd: each rank goes on with an optimizer of its own; the state has those of 3 ranks, and there are 2$" \
    "$dir/m" --resume
  train_on 3 "$dir/m" --resume --steps 48
  same_tensors "$dir/m3/last.safetensors" "$dir/m/last.safetensors" "a run of local steps went on differently"
  expect_once "train: --resume needs the run's --local-steps 8; got 1" "$dir/m" --resume --local-steps 1
  expect_once "train: --local-steps needs a batch for each of 2 ranks: --accumulate 2 or more; got 1" \
    "$dir/n" "${recipe[@]}" --accumulate 1 --local-steps 8
  expect_once "train: --local-steps and --shard-optimizer exclude each other: .*; got 8 and true" \
    "$dir/n" "${recipe[@]}" --local-steps 8 --shard-optimizer
  # A signal to one rank, which waits for the meeting.
  local run=("${recipe[@]}" --steps 1000000 --local-steps 8 --validate-every 200 --patience 1000000)
  "${ranks[@]}" -n 2 "$program" train --model-dir "$dir/s" "${run[@]}" >"$dir/out" 2>"$dir/log" &
  local job=$! status=0
  wait_for '"step":40' "$dir/s/metrics.jsonl"
  kill -TERM "$(pgrep -P $job | tail -n 1)"
  wait $job || status=$?
  [ $status = 143 ] || fail "exit status $status; $(cat "$dir/log")"
  step=$(sed -n "s/^interrupted by SIGTERM at step \([0-9]*\);.*/\1/p" "$dir/log")
  [ $((step % 8)) = 0 ] || fail "interrupted at step $step, where ranks are apart"
  train_on 2 "$dir/s" --resume --steps $((step + 16))
  train_on 2 "$dir/whole" "${run[@]}" --steps $((step + 16))
  same_tensors "$dir/whole/last.safetensors" "$dir/s/last.safetensors" "after a signal the run went on differently"
  # A rank whose loss leaves the numbers says so, and ends all.
  if "${ranks[@]}" -n 2 "$program" train --model-dir "$dir/d" "${recipe[@]}" --steps 50 --warmup 1 --lr 1e30 --local-steps 8 \
    >"$dir/out" 2>"$dir/log"; then fail "no error"; fi
  grep -q '^weft: .*train: diverged at step ' "$dir/log" || fail "diverged: $(cat "$dir/log")"
  # Frozen, averaged, skipping and sharing no batch at the end of an epoch.
  train_on 3 "$dir/e" "${recipe[@]}" --accumulate 3 --max-tokens 512 --local-steps 4 --ema 0.9 --on-divergence skip --epochs 3
  train_on 3 "$dir/e2" "${recipe[@]}" --accumulate 3 --max-tokens 512 --local-steps 4 --ema 0.9 --on-divergence skip --epochs 3
  same_run "$dir/e" "$dir/e2"
}

case_signals() { # to all ranks or to one: saved, and on from there to the same bits
  local job status who signal step
  # Only the signal ends it: mpirun passes SIGTERM on after as long as it gives the ranks to obey it.
  local run=("${recipe[@]}" --steps 1000000 --validate-every 200 --patience 1000000)
  for who in mpirun:USR1 mpirun:TERM rank:TERM; do
    signal=${who#*:}
    "${ranks[@]}" --mca odls_base_sigkill_timeout 2 -n 2 "$program" train --model-dir "$dir/$who" "${run[@]}" \
      >"$dir/out" 2>"$dir/log" &
    job=$!
    wait_for '"step":20' "$dir/$who/metrics.jsonl"
    if [ $who = rank:TERM ]; then kill -TERM "$(pgrep -P $job | tail -n 1)"; else kill -"$signal" $job; fi
    status=0
    wait $job || status=$?
    # mpirun itself has another status where it was asked to end.
    [ $who = mpirun:TERM ] || [ $status = $((128 + $(kill -l "$signal"))) ] ||
      fail "$who: exit status $status; $(cat "$dir/log")"
    [ "$(grep -c "^interrupted by SIG$signal at step [0-9]*; saved: " "$dir/log")" = 1 ] || fail "$who: $(cat "$dir/log")"
    step=$(sed -n "s/^interrupted by SIG$signal at step \([0-9]*\);.*/\1/p" "$dir/log")
    train_on 2 "$dir/$who" --resume --steps $((step + 40))
    train_on 2 "$dir/whole $who" "${run[@]}" --steps $((step + 40))
    same_tensors "$dir/whole $who/last.safetensors" "$dir/$who/last.safetensors" "$who: the run went on differently"
  done
}

case_death() { # a rank that dies ends the job
  "${ranks[@]}" -n 3 "$program" train --model-dir "$dir/m" "${recipe[@]}" --steps 1000000 >"$dir/out" 2>"$dir/log" &
  local job=$!
  wait_for '"step":20' "$dir/m/metrics.jsonl"
  kill -9 "$(pgrep -P $job | tail -n 1)"
  timeout 60 tail --pid=$job -f /dev/null || { kill -9 $job; fail "a rank died and the others went on"; }
  if wait $job; then fail "a rank died and mpirun says that all is well"; fi
  train_on 2 "$dir/m" --resume --steps 24
}

# Trains on two ranks, which must fail with one line of weft's, this one.
expect_once() { # PATTERN ARGS...
  local pattern=$1
  shift
  if "${ranks[@]}" -n 2 "$program" train --model-dir "$@" >"$dir/out" 2>"$dir/log"; then fail "no error from: $*"; fi
  [ "$(grep -c '^weft: ' "$dir/log")" = 1 ] || fail "more than one error from: $*"$'\n'"$(cat "$dir/log")"
  grep -q -- "^weft: $pattern" "$dir/log" || fail "expected $pattern; got: $(cat "$dir/log")"
}

case_errors() { # said once, and by whom
  expect_once "train: needs a corpus" "$dir/m"
  expect_once ".*--nonsense" "$dir/m" "${recipe[@]}" --nonsense
  expect_once "lr: must be in (0, inf); got -1" "$dir/m" "${recipe[@]}" --lr -1
  expect_once "train: diverged at step " "$dir/m" "${recipe[@]}" --steps 50 --warmup 1 --lr 1e30
  rm -rf "$dir/m"
  train_on 2 "$dir/m" "${recipe[@]}" --steps 2
  expect_once "train: $dir/m holds a model already" "$dir/m" "${recipe[@]}"
  expect_once "train: --resume needs the run's --accumulate 4; got 2" "$dir/m" --resume --accumulate 2

  # What each rank may find alone.
  local one=(-n 1 "$program" train --model-dir "$dir/n" "${recipe[@]}" --steps 2)
  "${ranks[@]}" "${one[@]}" : "${one[@]}" --train-source "$dir/none" >/dev/null 2>"$dir/log" && fail "no error"
  grep -q "^weft: rank 1: .*$dir/none" "$dir/log" || fail "which rank failed: $(cat "$dir/log")"
  "${ranks[@]}" "${one[@]}" : "${one[@]}" --train-source "$dir/de" >/dev/null 2>"$dir/log" && fail "no error"
  grep -q "^weft: train: rank 1 has another corpus, vocabulary or settings than rank 0$" "$dir/log" ||
    fail "ranks that differ: $(cat "$dir/log")"

  # Processes that know nothing of each other.
  if SLURM_STEP_NUM_TASKS=4 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    "$program" train --model-dir "$dir/n" "${recipe[@]}" >/dev/null 2>"$dir/log"; then
    fail "one of four processes must not train alone"
  fi
  grep -q "^weft: train: 4 processes were started together, but " "$dir/log" || fail "$(cat "$dir/log")"
}

case_run() { # lines are shared out, and come back in their order
  alone "$dir/m" "${recipe[@]}" --steps 24
  local args n
  { head -n 7 "$dir/en"; echo; printf 'a \xff\n'; tail -n 30 "$dir/en"; } >"$dir/in"
  for args in "--beam 1" "--n-best 2" "--sample --seed 3 --n-best 2"; do
    # shellcheck disable=SC2086  # options and their values
    if "$program" run --model-dir "$dir/m" $args <"$dir/in" >"$dir/expected" 2>/dev/null; then fail "no error"; fi
    [ "$(wc -l <"$dir/expected")" -ge 39 ] || fail "a line for each line"
    for n in 2 3; do
      # shellcheck disable=SC2086
      if "${ranks[@]}" -n $n "$program" run --model-dir "$dir/m" $args <"$dir/in" >"$dir/out" 2>"$dir/log"; then
        fail "no error for an invalid line"
      fi
      cmp "$dir/expected" "$dir/out" || fail "run $args on $n ranks"
      [ "$(grep -c '^weft: ' "$dir/log")" = 2 ] || fail "said once: $(cat "$dir/log")"
    done
  done
  [ "$(echo "a house" | "${ranks[@]}" -n 3 "$program" run --model-dir "$dir/m" | wc -l)" = 1 ] || fail "fewer lines than ranks"
}

case_lab() { # tables are shared out; the files are those of one process
  alone "$dir/m" --task german "${small[@]}" --steps 4
  alone "$dir/back" --task german-back "${small[@]}" --steps 2
  local n format of=(lab --model-dir "$dir/m")
  lab_on 2 --sentences 2 --over 7 --format html
  lab_on 3 --over 4 --format npz
  lab_on 2 --over 2 --sentence "the dog sleeps ." --target "der Hund" --token 2 --format json
  lab_on 2 --experiment alignment --over 3 --reverse-model-dir "$dir/back"
  lab_on 2 --experiment heads --over 2
  "$program" "${of[@]}" --over 3 --format text >"$dir/expected" 2>"$dir/log"
  "${ranks[@]}" -n 2 "$program" "${of[@]}" --over 3 --format text >"$dir/out" 2>"$dir/log" || fail "lab on 2 ranks"
  cmp "$dir/expected" "$dir/out" || fail "the text of 2 ranks"
  rm "$dir/m/run.toml" # as of a model that was saved without a run
  "${ranks[@]}" -n 2 "$program" "${of[@]}" --sentence "the dog" --format json --out "$dir/r" >"$dir/out" 2>"$dir/log" || fail "no run"
  [ "$(grep -c 'no validation sentences' "$dir/log")" = 1 ] || fail "said once: $(cat "$dir/log")"
  if "${ranks[@]}" -n 2 "$program" "${of[@]}" --sentence "$(printf 'a %.0s' $(seq 200))" >"$dir/out" 2>"$dir/log"; then fail "no error"; fi
  [ "$(grep -c '^weft: ' "$dir/log")" = 1 ] || fail "more than one error: $(cat "$dir/log")"
  if "${ranks[@]}" -n 2 "$program" "${of[@]}" --sentence abc --target ab --token 9 >"$dir/out" 2>"$dir/log"; then fail "no error"; fi
  grep -q '^weft: .*token must be in' "$dir/log" || fail "an error of rank 0 alone: $(cat "$dir/log")"
}

# A report by that many ranks must be that of one process, and so must what is printed.
lab_on() { # RANKS ARGS...
  local n=$1
  shift
  "$program" "${of[@]}" "$@" --out "$dir/one" >"$dir/expected" 2>"$dir/log" || { cat "$dir/log" >&2; fail "lab $*"; }
  "${ranks[@]}" -n "$n" "$program" "${of[@]}" "$@" --out "$dir/several" >"$dir/out" 2>"$dir/log" ||
    { cat "$dir/log" >&2; fail "lab on $n ranks: $*"; }
  cmp "$dir/one" "$dir/several" || fail "lab on $n ranks: $*"
  cmp <(sed "s:$dir/one:$dir/several:" "$dir/expected") "$dir/out" || fail "lab on $n ranks printed something else: $*"
}

case_own_program() { # two lines of main give it the same
  local own=(--task vowels --model sharp --optimizer signum "${small[@]}" --steps 6 --accumulate 2)
  alone "$dir/m1" "${own[@]}"
  train_on 2 "$dir/m2" "${own[@]}"
  same_run "$dir/m1" "$dir/m2"
}

"case_$2"
echo "ok: $2"
