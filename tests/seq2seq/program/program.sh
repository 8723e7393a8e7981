#!/usr/bin/env bash
# The program `weft` from outside: trains, stops, goes on, translates, and answers bad input.
# usage: program.sh PROGRAM CASE
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

steps_of() { # MODEL_DIR: the steps in its log, in order
  grep -o '"step":[0-9]*' "$1/metrics.jsonl"
}

case_resume() { # a run that was stopped twice, once by kill -9, ends with the very same bytes
  local steps=(--steps 60 --validate-every 20 --accumulate 2)
  train "$dir/whole" "${steps[@]}"
  train "$dir/parts" "${steps[@]}" --steps 20
  "${train_command[@]}" --model-dir "$dir/parts" --resume "${steps[@]}" >"$dir/log" 2>&1 &
  local pid=$!
  for _ in $(seq 200); do
    grep -q '"step":40' "$dir/parts/metrics.jsonl" && break
    sleep 0.05
  done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  echo '{"step":50000,"loss":1.0}' >>"$dir/parts/metrics.jsonl" # as if it had got further
  "$program" train --model-dir "$dir/parts" --resume --steps 60 >"$dir/log" 2>&1 || fail "a run must know its settings"
  same_tensors "$dir/whole/last.safetensors" "$dir/parts/last.safetensors" "resumed weights differ"
  cmp "$dir/whole/film.jsonl" "$dir/parts/film.jsonl" || fail "a resumed run must record each frame once"
  [ "$(grep -c '"gradients":8' "$dir/whole/film.jsonl")" = 3 ] || fail "a frame for each validation"
  train "$dir/plain" "${steps[@]}" --record-gradients 0
  [ ! -e "$dir/plain/film.jsonl" ] || fail "no film was asked for"
  same_tensors "$dir/whole/last.safetensors" "$dir/plain/last.safetensors" "the film changed the weights"
  steps_of "$dir/whole" >"$dir/expected"
  steps_of "$dir/parts" | diff - "$dir/expected" >&2 || fail "a resumed run must log each step once"
  "$program" train --model-dir "$dir/parts" --resume >"$dir/out" 2>"$dir/log" # nothing is left to do, nor to validate
  grep -q '^the run is finished already, at step 60: --steps 60; ' "$dir/log" || fail "a finished run must say so"
  steps_of "$dir/parts" | diff - "$dir/expected" >&2 || fail "a finished run was validated again"
}

case_directory() { # one run at a time, from one state to the next, and on from an older model
  local run=("$program" run --model-dir "$dir/m") pid
  train "$dir/m" --steps 10
  "${run[@]}" <"$dir/en" >"$dir/old" || fail "run"
  "$program" train --model-dir "$dir/m" --resume --steps 1000000 >/dev/null 2>"$dir/log" &
  pid=$!
  for _ in $(seq 200); do
    grep -q '^the run goes on with --steps 1000000 instead of 10$' "$dir/log" && break
    sleep 0.05
  done
  expect_error "train: another run (process $pid) is training in $dir/m" train --model-dir "$dir/m" --resume
  expect_error "is training in" train --model-dir "$dir/m" "${corpus[@]}" --overwrite
  kill -9 $pid
  wait $pid 2>/dev/null || true
  cp -r "$dir/m" "$dir/other"
  "${run[@]}" <"$dir/en" >"$dir/old" || fail "run"
  touch "$dir/m/last.safetensors.weft-1-1.tmp"
  "${train_command[@]}" --model-dir "$dir/m" --overwrite --lr 1e30 >/dev/null 2>&1 && fail "this must diverge"
  "${run[@]}" <"$dir/en" | cmp - "$dir/old" || fail "a run that failed took the old model with it"
  [ ! -e "$dir/m/last.safetensors.weft-1-1.tmp" ] || fail "what a write left that died must be swept"
  [ ! -e "$dir/m/new-run" ] || fail "a run that failed must leave nothing"
  train "$dir/m" --overwrite --steps 12
  train "$dir/fresh" --steps 12
  same_tensors "$dir/m/last.safetensors" "$dir/fresh/last.safetensors" "beside an old model a run is another"
  cp "$dir/m/best.safetensors" "$dir/other/best.safetensors"
  expect_error "they do not belong together" run --model-dir "$dir/other"

  "$program" train --model-dir "$dir/m" --resume --lr 1e-4 --steps 14 >/dev/null 2>"$dir/log" || fail "another --lr"
  grep -q '^the run goes on with --lr 0.0001 instead of 0.005$' "$dir/log" || fail "what changes must be said"
  "$program" train "${corpus[@]:0:8}" --init-from "$dir/m" --dropout 0 --max-tokens 256 --steps 1 --lr 1e-30 \
    --model-dir "$dir/further" >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; fail "--init-from"; }
  "${run[@]}" <"$dir/en" >"$dir/old"
  "$program" run --model-dir "$dir/further" <"$dir/en" | cmp - "$dir/old" || fail "--init-from begins with other weights"
  "$program" train --config "$dir/further/run.toml" --model-dir "$dir/again" >/dev/null 2>&1 || fail "run.toml"
  same_tensors "$dir/further/last.safetensors" "$dir/again/last.safetensors" "run.toml makes another run"
  "$program" train --model-dir "$dir/further" --resume --steps 2 >/dev/null 2>&1 || fail "--resume after --init-from"
  local from=(train "${corpus[@]:0:8}" --init-from "$dir/m" --model-dir "$dir/none")
  expect_error "--tokens must be subword, as in --init-from $dir/m; got word" "${from[@]}" --tokens word
  expect_error "--init-from $dir/m: load_state_dict: the state does not fit" "${from[@]}" --d-model 32
  expect_error "--vocab-size says nothing to --init-from" "${from[@]}" --vocab-size 60
}

case_replace() { # ended before its first best model, a run that replaces another goes on; until then the old one stays
  local signal pid run=("$program" run --model-dir "$dir/m")
  train "$dir/m" --steps 10
  "${run[@]}" <"$dir/en" >"$dir/old" || fail "run"
  for signal in KILL TERM; do
    touch "$dir/began" # a signal before the program runs would end a copy of this shell, and its trap the folder
    "${train_command[@]}" --model-dir "$dir/m" --overwrite --seed 2 --steps 1000000 --validate-every 1000000 \
      --save-every 1 >"$dir/log" 2>&1 &
    pid=$!
    for _ in $(seq 200); do
      [ "$dir/m/new-run/last.safetensors" -nt "$dir/began" ] && break
      sleep 0.05
    done
    kill -$signal $pid || fail "nothing to kill"
    wait $pid 2>/dev/null || true
    "${run[@]}" <"$dir/en" | cmp - "$dir/old" || fail "a run that ended by $signal took the old model with it"
    expect_error "holds a model already" train --model-dir "$dir/m" "${corpus[@]}"
  done
  "$program" train --model-dir "$dir/m" --resume --steps 1 >"$dir/out" 2>"$dir/log" || { cat "$dir/log" >&2; fail "resume"; }
  grep -q "^going on from $dir/m/new-run/last.safetensors, of step [0-9]*$" "$dir/log" || fail "it must say what goes on"
  grep -q '^seed = 2$' "$dir/m/run.toml" || fail "another run went on"
  [ ! -e "$dir/m/new-run" ] || fail "a run with a best model has taken its place"
}

# Dates in words and as one word of figures: 3,000 pairs to train on, 100 others to validate on.
write_dates() {
  local months=(january february march april may june july august september october november december)
  local i k year month day
  for i in $(seq 3100); do
    k=$((i * 7919 % 4464)) year=$((2010 + k % 12)) month=$((k / 12 % 12)) day=$((k / 144 + 1))
    printf '%s %d , %d\t%d-%02d-%02d\n' "${months[$month]}" $day $year $year $((month + 1)) $day
  done >"$dir/dates"
  head -n 3000 "$dir/dates" | cut -f1 >"$dir/dates.en"
  head -n 3000 "$dir/dates" | cut -f2 >"$dir/dates.de"
  tail -n 100 "$dir/dates" | cut -f1 >"$dir/dates.valid.en"
  tail -n 100 "$dir/dates" | cut -f2 >"$dir/dates.valid.de"
}

# The step that validated best by the score under KEY in the log, and among equal ones by loss.
best_step() { # MODEL_DIR KEY ORDER: gr if higher is better, g if lower
  sed -n "s/.*\"step\":\([0-9]*\),.*\"valid_loss\":\([0-9.e-]*\),\"$2\":\([0-9.]*\)}/\3 \2 \1/p" \
    "$1/metrics.jsonl" | sort "-k1,1$3" -k2,2g | head -n 1 | cut -d' ' -f3
}

case_metric() { # targets of one word, whose BLEU is always 0: the model kept is still the best
  write_dates
  local run=("$program" train --train-source "$dir/dates.en" --train-target "$dir/dates.de"
    --valid-source "$dir/dates.valid.en" --valid-target "$dir/dates.valid.de" --vocab-size 60
    --d-model 32 --layers 1 --heads 2 --ffn 64 --dropout 0 --max-tokens 512 --warmup 100 --validate-every 50)
  local step metric order
  for metric in exact wer bleu; do
    order=$([ $metric = wer ] && echo g || echo gr)
    "${run[@]}" --model-dir "$dir/$metric" --steps 400 --patience 5 $([ $metric = exact ] || echo "--metric $metric") \
      >"$dir/out" 2>"$dir/log" || { cat "$dir/log" >&2; fail "train"; }
    step=$(best_step "$dir/$metric" $metric $order)
    [ "$step" -gt 200 ] || fail "by $metric the best model is of step $step"
    grep -q "\"checkpoint_step\": $step,$" "$dir/$metric/summary.json" || fail "the best by $metric is of step $step"
    grep -q "^checkpoint step $step: the best in validation by " "$dir/out" || fail "the report must say which model"
  done
  grep -q '^the best model is chosen by BLEU$' "$dir/log" || fail "--metric"
  local score
  score=$(sed -n 's/.*"valid_score": \([0-9]*\).0,/\1/p' "$dir/exact/summary.json")
  [ "$score" -ge 60 ] || fail "dates reach only $score %"
  "$program" run --model-dir "$dir/exact" <"$dir/dates.valid.en" >"$dir/out"
  [ "$(paste "$dir/out" "$dir/dates.valid.de" | awk '$1 == $2' | wc -l)" = "$score" ] ||
    fail "the model that was kept is not the one that reached $score %"
  "${run[@]}" --model-dir "$dir/settled" --steps 50 --metric blue 2>"$dir/log" && fail "no metric"
  grep -q "must be one of bleu, chrf, exact, tokens, ter, wer; got 'blue'" "$dir/log" || fail "unknown metric"
}

case_threads() { # the same bytes at any number of threads
  local n
  for n in 1 2 3 16; do
    train "$dir/t$n" --steps 20 --threads $n
    "$program" run --model-dir "$dir/t1" --threads $n --n-best 3 <"$dir/en" >"$dir/t$n.out" || fail "run"
    same_tensors "$dir/t1/last.safetensors" "$dir/t$n/last.safetensors" "$n threads differ from 1"
    cmp "$dir/t1.out" "$dir/t$n.out" || fail "translations by $n threads differ from those by 1"
  done
}

case_precision() { # bf16 changes the weights, by a little, and needs a CPU that has it
  local wide=(--d-model 64 --ffn 128 --max-tokens 1024)
  WEFT_CPU=avx2 expect_error "matmul precision: bf16 needs a CPU with AVX-512 BF16" \
    train "${corpus[@]}" --model-dir "$dir/m" --precision bf16
  expect_error "precision: must be one of float32, bf16; got 'fp8'" train --precision fp8
  grep -q avx512_bf16 /proc/cpuinfo || return 0
  [ -z "${WEFT_CPU:-}" ] || return 0
  train "$dir/full" "${wide[@]}" --steps 20
  train "$dir/one" "${wide[@]}" --steps 20 --precision bf16 --threads 1
  train "$dir/two" "${wide[@]}" --steps 20 --precision bf16 --threads 2
  same_tensors "$dir/one/last.safetensors" "$dir/two/last.safetensors" "2 threads differ from 1 in bf16"
  (same_tensors "$dir/one/last.safetensors" "$dir/full/last.safetensors" "") >/dev/null 2>&1 && fail "bf16 rounds nothing"
  train "$dir/pieces" "${wide[@]}" --steps 10 --precision bf16
  "$program" train --model-dir "$dir/pieces" --resume --steps 20 >"$dir/log" 2>&1 || fail "resume in bf16"
  same_tensors "$dir/one/last.safetensors" "$dir/pieces/last.safetensors" "bf16 is lost when a run goes on"
  expect_error "--precision bf16; got float32" train --model-dir "$dir/one" --resume --precision float32
}

case_interrupt() { # Ctrl-C, or a polite kill, saves and ends well
  local signal pid status
  for signal in INT TERM; do
    "${train_command[@]}" --model-dir "$dir/$signal" --steps 1000000 >"$dir/log" 2>&1 &
    pid=$!
    for _ in $(seq 200); do
      grep -q '"step":20' "$dir/$signal/metrics.jsonl" 2>/dev/null && break
      sleep 0.05
    done
    kill -$signal $pid || fail "nothing to interrupt"
    status=0
    wait $pid || status=$?
    [ $status = $((128 + $(kill -l $signal))) ] || fail "a run interrupted by $signal must not exit with $status"
    [ -f "$dir/$signal/last.safetensors" ] || fail "no checkpoint after $signal"
    grep -q "interrupted by SIG$signal at step [0-9]*; saved: --model-dir $dir/$signal --resume goes on" "$dir/log" ||
      fail "it must say how to go on"
    "$program" train --model-dir "$dir/$signal" --resume --steps 21 >"$dir/out" 2>"$dir/log" ||
      { cat "$dir/log" >&2; fail "resume"; }
  done
}

case_diverge() { # loss or gradient leave the numbers, or explode: an error that says where, and the model stays
  local out
  train "$dir/m" --steps 4
  for lr in 1e30 10; do
    if "${train_command[@]}" --model-dir "$dir/$lr" --steps 200 --warmup 1 --lr $lr >/dev/null 2>"$dir/log"; then
      fail "--lr $lr does not diverge"
    fi
    out=$(tail -n 1 "$dir/log")
    [[ $out =~ ^weft:\ train:\ diverged\ at\ step\ [0-9]+:\ .*\ a\ lower\ --lr\ than ]] || fail "diverged: $out"
    [ "$(grep -c '^weft: ' "$dir/log")" = 1 ] || fail "more than one line of error"
  done
  expect_error "on-divergence: must be one of stop, skip; got 'panic'" \
    train --task german --model-dir "$dir/none" --on-divergence panic
}

case_config() { # a file of settings says what flags say, and flags come before it
  paste "$dir/en" "$dir/de" >"$dir/pairs.tsv"
  printf 'steps = 40\nd-model = 16\nlr = 1e-3 # slow\nlayers = 1\nheads = 2\nffn = 32\nmodel-dir = "%s"\n' "$dir/file" >"$dir/c.toml"
  "$program" train --config "$dir/c.toml" "${corpus[@]}" --steps 20 >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; fail "config"; }
  "$program" train "${corpus[@]}" --d-model 16 --lr 1e-3 --layers 1 --heads 2 --ffn 32 --steps 20 --model-dir "$dir/flags" \
    >/dev/null 2>&1 || fail "flags"
  same_tensors "$dir/file/last.safetensors" "$dir/flags/last.safetensors" "a file of settings differs from flags"
  diff <(head -n -1 "$dir/file/run.toml") <(head -n -1 "$dir/flags/run.toml") || fail "the saved settings differ"
  echo 'tensorboard = true' >>"$dir/c.toml"  # a flag also takes back what the file says
  "$program" train --config "$dir/c.toml" "${corpus[@]}" --steps 1 --overwrite --tensorboard=false >/dev/null 2>&1 || fail "a switch"
  grep -q '^tensorboard = false$' "$dir/file/run.toml" || fail "--tensorboard=false says nothing"
  expect_error "tensorboard: must be true or false; got 'maybe'" train --task copy --model-dir "$dir/m" --tensorboard=maybe
  # What a run saved makes the same run again.
  "$program" train --config "$dir/flags/run.toml" --model-dir "$dir/again" >/dev/null 2>&1 || fail "run.toml"
  same_tensors "$dir/flags/last.safetensors" "$dir/again/last.safetensors" "run.toml makes another run"
  # Also where settings say nothing to tokens and model.
  "$program" train --data "$dir/pairs.tsv" --tokens char --model gru --d-model 16 --steps 4 --model-dir "$dir/gru" >/dev/null 2>&1 ||
    fail "gru"
  "$program" train --config "$dir/gru/run.toml" --model-dir "$dir/gru2" >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; fail "run.toml"; }
  same_tensors "$dir/gru/last.safetensors" "$dir/gru2/last.safetensors" "run.toml makes another run"
  expect_error "train: --heads says nothing to --model gru; got 2" \
    train --data "$dir/pairs.tsv" --model gru --heads 2 --model-dir "$dir/m"
  local text
  for text in "wramup = 3|c.toml, line 1: there is no setting 'wramup'" "lr = [1]|c.toml, line 1: lr: must be a number" \
    'steps = 1.5|c.toml, line 1: steps: must be a whole number' 'lr = -1|c.toml, line 1: lr: must be in (0, inf); got -1' \
    'lr = 010|c.toml, line 1: ' 'lr = |c.toml, line 1: '; do
    echo "${text%%|*}" >"$dir/c.toml"
    expect_error "${text#*|}" train --config "$dir/c.toml" --task german --model-dir "$dir/m"
  done
  expect_error "cannot open" train --config "$dir/none.toml" --task german --model-dir "$dir/m"
  "$program" --version | grep -qE '^weft [0-9]+\.[0-9]+\.[0-9]+$' || fail "--version"
}

case_task() { # the built-in corpus: scores, examples, attention
  "$program" train --task german --model-dir "$dir/m" "${small[@]}" --steps 2 >"$dir/out" 2>"$dir/log" ||
    { cat "$dir/log" >&2; fail "train"; }
  grep -q 'ready after' "$dir/log" || fail "training must say when it is ready"
  grep -q 'translated exactly' "$dir/out" || fail "no score"
  for key in task steps seconds parameters tokens_per_second exact_match bleu perplexity alignment_error_rate; do
    grep -q "\"$key\"" "$dir/m/summary.json" || fail "summary.json lacks $key"
  done
  "$program" show --model-dir "$dir/m" --sentence "the dog sleeps ." --svg "$dir/a.svg" >"$dir/picture" || fail "show"
  grep -q dog "$dir/picture" || fail "the picture lacks the source"
  grep -q '</svg>' "$dir/a.svg" || fail "no picture"
  expect_error "0xff at byte 5 of --sentence" show --model-dir "$dir/m" --sentence $'the \xff'
  expect_error "--d-model 16; got 32" train --task german --model-dir "$dir/m" --resume --d-model 32
}

case_tasks() { # every task by its name, and what it is cut into
  "$program" tasks >"$dir/out" || fail "tasks"
  local task cut
  local tasks=(copy reverse sort addition addition-10 dates morse morse-back scan scan-jump scan-length scan-length-26
    pcfg german german-back)
  for task in "${tasks[@]}"; do
    case $task in
      german*) cut="word, metric bleu" ;;
      scan* | pcfg) cut="word, metric exact" ;;
      *) cut="char, metric exact" ;;
    esac
    grep -A 2 "^$task " "$dir/out" | grep -q "^ *tokens $cut$" || fail "weft tasks lacks $task, its tokens or its metric"
    [[ $task != scan-* ]] || continue # their tests are large
    "$program" train --task $task --model-dir "$dir/$task" "${small[@]}" --steps 2 >"$dir/out.$task" 2>"$dir/log" ||
      { cat "$dir/log" >&2; fail "train $task"; }
    grep -q "\"task\": \"$task\"" "$dir/$task/summary.json" || fail "summary.json names another task"
  done
  grep -q '"kind": "characters"' "$dir/sort/vocabulary.json" || fail "letters are characters"
  "$program" train --task sort --tokens subword --vocab-size 60 --model-dir "$dir/cut" "${small[@]}" --steps 2 \
    >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; fail "--tokens subword"; }
  grep -q '"kind": "subwords"' "$dir/cut/vocabulary.json" || fail "--tokens has no effect"
  # Alignments are of words: with characters they would be silently wrong.
  "$program" train --task german --tokens char --model-dir "$dir/char" "${small[@]}" --steps 2 >"$dir/out" \
    2>"$dir/log" || { cat "$dir/log" >&2; fail "--tokens char"; }
  ! grep -q alignment "$dir/out" || fail "characters have no word alignment"
  expect_error "task: must be one of $(printf '%s, ' "${tasks[@]}" | sed 's/, $//'); got 'toy'" \
    train --task toy --model-dir "$dir/m"
  expect_error "tokens: must be one of char, word, subword; got 'bytes'" \
    train --task sort --tokens bytes --model-dir "$dir/m"
  expect_error "train: --vocab-size says nothing to --tokens char; got 60" \
    train --task sort --vocab-size 60 --model-dir "$dir/m"
}

case_models() { # every model and every optimizer by its name; what was saved is of that model
  local model optimizer
  for model in transformer gru lstm; do
    "$program" train --task sort --model $model --model-dir "$dir/$model" --d-model 16 --steps 4 >/dev/null \
      2>"$dir/log" || { cat "$dir/log" >&2; fail "train $model"; }
    grep -q "\"model\": \"$model\"" "$dir/$model/config.json" || fail "config.json names another model than $model"
    [ "$(printf 'abc\nb\n' | "$program" run --model-dir "$dir/$model" --beam 2 | wc -l)" = 2 ] || fail "run $model"
    "$program" show --model-dir "$dir/$model" --sentence abc >"$dir/picture" || fail "show $model"
    grep -q a "$dir/picture" || fail "the picture of $model lacks the source"
    "$program" train --model-dir "$dir/$model" --resume --steps 6 >/dev/null 2>"$dir/log" ||
      { cat "$dir/log" >&2; fail "a run must know its model"; }
  done
  for optimizer in adam adamw sgd lion adafactor muon; do
    train "$dir/$optimizer" --optimizer $optimizer --steps 6 --validate-every 3
    train "$dir/$optimizer-parts" --optimizer $optimizer --steps 3
    "$program" train --model-dir "$dir/$optimizer-parts" --resume --steps 6 >/dev/null 2>&1 || fail "resume $optimizer"
    same_tensors "$dir/$optimizer/last.safetensors" "$dir/$optimizer-parts/last.safetensors" "$optimizer goes on differently"
  done
  cmp -s "$dir/adam/last.safetensors" "$dir/adamw/last.safetensors" && fail "--optimizer has no effect"
  train "$dir/options" --steps 2 --norm pre --activation gelu --positions learned --embeddings separate --decoder-layers 2
  expect_error "--model gru; got transformer" train --model-dir "$dir/gru" --resume --model transformer
  expect_error "--heads says nothing to --model gru; got 3" train --task sort --model-dir "$dir/m" --model gru --heads 3
  expect_error "model: must be one of transformer, gru, lstm; got 'grub'" train --task sort --model-dir "$dir/m" --model grub
  expect_error "optimizer: must be one of adam, adamw, sgd, lion, adafactor, muon; got 'rprop'" \
    train --task sort --model-dir "$dir/m" --optimizer rprop
  expect_error "norm: must be one of pre, post; got 'none'" train --task sort --model-dir "$dir/m" --norm none
  sed -i 's/"gru"/"gnu"/' "$dir/gru/config.json"
  expect_error "config.json: not a model's settings: it was changed since weft wrote it" run --model-dir "$dir/gru"
}

case_parts() { # parts of training that may be asked for: the same bytes after a stop, and at any number of threads
  local flags
  local parts=("--r-drop 5 --accumulate 2" "--ema 0.9" "--average 2" "--schedule cosine --decay-steps 9" "--plateau 1"
    "--word-dropout 0.1" "--tokens subword --subword-dropout 0.3" "--activation swiglu --qk-norm --positions rotary"
    "--positions relative" "--positions alibi" "--curriculum short-first --curriculum-steps 6")
  for flags in "${parts[@]}"; do
    rm -rf "$dir/whole" "$dir/pieces"
    # shellcheck disable=SC2086  # several words
    train "$dir/whole" --steps 8 --warmup 3 --validate-every 2 $flags
    # shellcheck disable=SC2086
    train "$dir/pieces" --steps 4 --warmup 3 --validate-every 2 --threads 1 $flags
    "$program" train --model-dir "$dir/pieces" --resume --steps 8 --threads 2 >/dev/null 2>"$dir/log" ||
      { cat "$dir/log" >&2; fail "resume with $flags"; }
    same_tensors "$dir/whole/last.safetensors" "$dir/pieces/last.safetensors" "$flags: goes on differently"
    "$program" run --model-dir "$dir/whole" --beam 3 <"$dir/en" >"$dir/out" || fail "run with $flags"
    [ "$(wc -l <"$dir/out")" = "$(wc -l <"$dir/en")" ] || fail "run with $flags: lines"
    "$program" lab --model-dir "$dir/whole" --sentence "$(head -n 1 "$dir/en")" --over 0 --format json \
      --out "$dir/r.json" >/dev/null || fail "lab with $flags"
  done
  train "$dir/old" --steps 2
  "$program" train --train-source "$dir/en" --train-target "$dir/de" --init-from "$dir/old" --model-dir "$dir/new" \
    --freeze transformer.encoder,embedding --accumulate 2 --steps 3 >/dev/null 2>"$dir/log" ||
    { cat "$dir/log" >&2; fail "train with --freeze"; }
  "$program" train --model-dir "$dir/new" --resume --steps 5 >/dev/null 2>"$dir/log" || fail "resume with --freeze"
  expect_error "--freeze keeps what --init-from begins with" \
    train --task sort --model-dir "$dir/m" --freeze transformer
  expect_error "no parameter's name begins with 'nothing'" \
    train --task sort --model-dir "$dir/m" --init-from "$dir/old" --freeze nothing
  expect_error "leaves nothing to train" \
    train --task sort --model-dir "$dir/m" --init-from "$dir/old" --freeze transformer,embedding
  expect_error "--ema and --average exclude each other; got 0.9 and 2" \
    train --task sort --model-dir "$dir/m" --ema 0.9 --average 2
  expect_error "schedule: must be one of inverse-square-root, cosine, linear, constant, plateau; got 'step'" \
    train --task sort --model-dir "$dir/m" --schedule step
  expect_error "curriculum: must be one of none, short-first; got 'easy'" \
    train --task sort --model-dir "$dir/m" --curriculum easy
  expect_error "limit --steps or --minutes instead; got --epochs 2" \
    train --task sort --model-dir "$dir/m" --curriculum short-first --epochs 2
  expect_error "train: --resume needs the run's --curriculum none; got short-first" \
    train --model-dir "$dir/new" --resume --steps 9 --curriculum short-first
  expect_error "--subword-dropout says nothing to --tokens char; got 0.1" \
    train --task sort --model-dir "$dir/m" --tokens char --subword-dropout 0.1
}

# The examples that put something of their own into the command line.
case_own_task() {
  "$program" tasks | grep -A 2 '^pig_latin ' | grep -q -- '-> .*ay$' || fail "weft tasks lacks a task of one's own"
  "$program" train --task pig_latin --model-dir "$dir/m" "${small[@]}" --steps 4 >"$dir/out" 2>/dev/null || fail "train"
  grep -q '"task": "pig_latin"' "$dir/m/summary.json" || fail "summary.json names another task"
}
case_own_model() {
  "$program" train --task reverse --model one_look --model-dir "$dir/m" --d-model 16 --heads 2 --steps 4 >/dev/null \
    2>"$dir/log" || { cat "$dir/log" >&2; fail "train"; }
  "$program" train --model-dir "$dir/m" --resume --steps 6 >/dev/null 2>&1 || fail "resume"
  [ "$(printf 'abc\nb\n' | "$program" run --model-dir "$dir/m" --beam 3 | wc -l)" = 2 ] || fail "run"
  "$program" lab --model-dir "$dir/m" --over 3 --format json --out "$dir/r.json" >/dev/null || fail "lab"
  expect_error "train: --layers says nothing to --model one_look; got 3" \
    train --task reverse --model one_look --model-dir "$dir/other" --layers 3
  for measure in weights gradient norm_weights integrated_gradients shapley; do
    grep -q "{\"measure\":\"$measure\",\"\(place\|side\)\"" "$dir/r.json" || fail "no $measure"
  done
}
case_own_program() {
  "$program" train --task vowels --model sharp --optimizer signum --model-dir "$dir/m" "${small[@]}" --steps 4 \
    >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; fail "train"; }
  grep -q '^optimizer = .signum.$' "$dir/m/run.toml" || fail "run.toml names another optimizer"
  "$program" train --model-dir "$dir/m" --resume --steps 6 >/dev/null 2>&1 || fail "resume"
  "$program" show --model-dir "$dir/m" --sentence abc | grep -q b || fail "show"
}
case_smallest_adder() {
  local source target a b
  read -r source _ target < <("$program" tasks | grep -A 1 '^sums ' | tail -n 1)
  a=$(rev <<<"${source%+*}") b=$(rev <<<"${source#*+}")
  [ $((10#$a + 10#$b)) = $((10#$(rev <<<"$target"))) ] || fail "$source is not $target"
  "$program" train --task sums --model-dir "$dir/m" --schedule constant --steps 20 >"$dir/out" 2>"$dir/log" || { cat "$dir/log" >&2; fail "train"; }
  grep -q ' 46 parameters$' "$dir/out" || fail "not 46 parameters"
  "$program" train --model-dir "$dir/m" --resume --steps 30 >/dev/null 2>&1 || fail "resume"
  [ "$("$program" run --model-dir "$dir/m" --beam 3 <<<"$source" | wc -l)" = 1 ] || fail "run"
  "$program" lab --model-dir "$dir/m" --over 2 --format json --out "$dir/r.json" >/dev/null || fail "lab"
  for place in encoder cross; do
    grep -q "{\"measure\":\"weights\",\"place\":\"$place\"" "$dir/r.json" || fail "no weights of $place"
  done
}

case_lab() { # a report of a model in every format, and what it says of bad input
  local m="$dir/m" format tool here
  here=$(realpath "$(dirname "$0")")
  program=$(realpath "$program")
  "$program" train --task german --model-dir "$m" "${small[@]}" --steps 4 >/dev/null 2>"$dir/log" ||
    { cat "$dir/log" >&2; fail "train"; }
  cd "$dir"
  for format in html json csv npz; do
    "$program" lab --model-dir m --sentences 2 --over 12 --format $format >"$dir/out" || fail "lab --format $format"
    [ "$(cat "$dir/out")" = "report     report.$format" ] || fail "lab must say where the report is"
    [ -s "$dir/report.$format" ] || fail "no report.$format"
  done
  [ "$(stat -c %s report.html)" -lt 3000000 ] || fail "the page is too large"
  grep -q '"format":"weft-lab 1"' report.html || fail "the page lacks the report"
  [ "$(head -n 1 report.csv | tr ',' '\n' | wc -l)" = 10 ] || fail "csv"
  tool=$(command -v python3) && { "$tool" "$here/read_lab.py" report.json report.npz || fail "npz and json differ"; }
  for key in agreement faithfulness heads pruning history film; do
    grep -q "\"$key\":\[{\|\"$key\":{" report.json || fail "no $key"
  done
  "$program" lab --model-dir m --sentence "the dog sleeps ." --target "der Hund" --token 2 --over 2 --format text \
    >"$dir/picture" || fail "lab --format text"
  grep -q '^der Hund$' "$dir/picture" && grep -q 'layer 1, head 2' "$dir/picture" && grep -q Shapley "$dir/picture" ||
    fail "the text lacks something"
  printf '{"update":9}\n\xff' >>m/film.jsonl
  "$program" lab --model-dir m --sentence "the dog" --out film.json --format json >/dev/null 2>"$dir/log" || fail "a damaged film"
  [ "$(grep -c '^weft: lab: film.jsonl, line [34]: ' "$dir/log")" = 2 ] || fail "damage to a film must be told"
  "$program" lab --model-dir m --sentence "the zyx dog" --out odd.json --format json >/dev/null 2>"$dir/log" || fail "unknown words"
  grep -q "^weft: lab: unknown to the model: 'zyx'$" "$dir/log" || fail "unknown words must be named"
  "$program" train --task sort --model gru --model-dir gru --d-model 16 --steps 2 >/dev/null 2>&1 || fail "train gru"
  "$program" lab --model-dir gru --over 5 --format json --out gru.json >/dev/null || fail "lab of a gru"
  grep -q '"agreement":\[\]' gru.json || fail "no gold links, no agreement"
  "$program" lab --experiment alignment --model-dir m --over 3 --out alignment.svg >"$dir/out" || fail "alignment"
  grep -q '^weights  *output' "$dir/out" && grep -q '<svg' alignment.svg || fail "alignment: no table or no plot"
  "$program" train --task german-back --model-dir back "${small[@]}" --steps 2 >/dev/null 2>"$dir/log" || fail "train german-back"
  "$program" lab --experiment alignment --model-dir m --reverse-model-dir back --over 3 >"$dir/out" || fail "alignment, both ways"
  grep -q 'lexical, both ways' "$dir/out" || fail "alignment: no links of both ways"
  "$program" lab --experiment heads --model-dir m --over 2 >"$dir/out" || fail "heads"
  grep -q '^0  ' "$dir/out" || fail "heads: no row without heads"
  rm m/run.toml # as of a model that was saved without a run
  "$program" lab --model-dir m --sentence "the dog" --format json >/dev/null 2>"$dir/log" || fail "a model without a run"
  grep -q 'no validation sentences' "$dir/log" || fail "it must say that there are none"
  lab_errors
}
lab_errors() {
  local of=(lab --model-dir "$dir/gru")
  expect_error "--sentence has no words" "${of[@]}" --sentence " "
  expect_error "--target is of --sentence" "${of[@]}" --target abc
  expect_error "exclude each other" "${of[@]}" --sentence abc --sentences 2
  expect_error "0xff at byte 1 of --sentence" "${of[@]}" --sentence $'\xff'
  expect_error "at most 127 tokens; got 200" "${of[@]}" --sentence "$(printf 'a%.0s' $(seq 200))"
  expect_error "token must be in [1, 3], of the target's tokens and its end; got 9" \
    "${of[@]}" --sentence abc --target ab --token 9
  expect_error "must be one of html, json, csv, npz, text; got 'pdf'" "${of[@]}" --format pdf
  expect_error "/dev/null/r.html: Not a directory" "${of[@]}" --over 0 --out /dev/null/r.html
  expect_error "config.json" lab --model-dir "$dir/nothing"
  expect_error "needs --model-dir, or --experiment" lab
  expect_error "must be one of alignment, heads, depth, explanation; got 'length'" lab --experiment length
  expect_error "--experiment depth has no --model-dir; it has --out, --threads, --seed" "${of[@]}" --experiment depth
  expect_error "--experiment heads needs --model-dir" lab --experiment heads
  expect_error "needs gold links between the tokens of the model" "${of[@]}" --experiment alignment
  expect_error "the model has no MultiheadAttention" "${of[@]}" --experiment heads
  expect_error "--seed is of --experiment" "${of[@]}" --seed 1
  expect_error "--reverse-model-dir is of --experiment" "${of[@]}" --reverse-model-dir "$dir/m"
  head -c 100 "$dir/gru/best.safetensors" >"$dir/cut" && mv "$dir/cut" "$dir/gru/best.safetensors"
  expect_error "best.safetensors" "${of[@]}"
}

case_torch() { # a directory that PyTorch filled serves as one of weft's own
  local m="$dir/m" models
  models=$(realpath "$(dirname "$0")/../../fixtures/torch_models")
  program=$(realpath "$program")
  printf 'red green blue\nblack white\n' | "$program" run --model-dir "$models/reverser" >"$dir/out" || fail "run"
  [ "$(paste -sd, "$dir/out")" = "blue green red,white black" ] || fail "run: $(cat "$dir/out")"
  "$program" show --model-dir "$models/reverser" --sentence "red green" >"$dir/out" || fail "show"
  cd "$dir"
  for model in reverser learned bare; do
    "$program" lab --model-dir "$models/$model" --sentence "red green" --format json >"$dir/out" 2>"$dir/log" ||
      { cat "$dir/log" >&2; fail "lab"; }
    for key in weights gradient norm_weights relevance contributions flow integrated_gradients shapley; do
      grep -q "\"measure\":\"$key\"" report.json || fail "$model: no $key"
    done
    grep -q '"pruning":\[{' report.json || fail "$model: no pruning"
  done
  cp -r "$models/reverser" "$m"
  printf 'red green\tgreen red\nblue grey red\tred grey blue\n' >pairs.tsv
  printf 'task = "files"\ndata = "%s"\nvalid-data = "%s"\n' "$dir/pairs.tsv" "$dir/pairs.tsv" >"$m/run.toml"
  "$program" lab --model-dir "$m" --sentences 2 --format json >"$dir/out" 2>"$dir/log" || fail "lab with a corpus"
  grep -q '"translation":"red grey blue"' report.json || fail "the corpus is not shown"
  [ ! -s "$dir/log" ] || fail "nothing to warn of; got $(cat "$dir/log")"
  expect_error "holds a model already" train --task german --model-dir "$m"
  sed -i 's/"nhead": 2/"nhead": 3/' "$m/config.json"
  expect_error "$m/config.json: d_model: must be a multiple of nhead; got 16 and 3" run --model-dir "$m"
}

case_run() { # a line out for each line in, whatever is in it
  train "$dir/m" --steps 20
  { echo "a house by the lake"; echo; printf 'house %.0s' $(seq 800); echo; echo "zxcvb  qwert"; printf 'no newline'; } \
    >"$dir/in"
  for beam in 1 3; do
    "$program" run --model-dir "$dir/m" --beam $beam <"$dir/in" >"$dir/out"
    [ "$(wc -l <"$dir/out")" = 5 ] || fail "expected 5 lines, got $(wc -l <"$dir/out")"
    [ -z "$(sed -n 2p "$dir/out")" ] || fail "an empty line must stay empty"
  done
  "$program" run --model-dir "$dir/m" </dev/null >"$dir/out"
  [ ! -s "$dir/out" ] || fail "no lines in, but lines out"
  # An invalid line loses only itself; a long one is cut, and both are said.
  { echo "a house"; printf 'a \xff\n'; printf 'house %.0s' $(seq 1500); echo; echo "a house"; } >"$dir/in"
  if "$program" run --model-dir "$dir/m" <"$dir/in" >"$dir/out" 2>"$dir/log"; then fail "no error for an invalid line"; fi
  [ "$(wc -l <"$dir/out")" = 4 ] || fail "an invalid line must lose only itself"
  [ "$(sed -n 2p "$dir/out")" = $'\ufffd' ] || fail "an invalid line must be marked"
  [ -n "$(sed -n 1p "$dir/out")" ] && [ "$(sed -n 1p "$dir/out")" = "$(sed -n 4p "$dir/out")" ] || fail "lost a line"
  grep -q '^weft: run: line 2: expected UTF-8; got byte 0xff at byte 3$' "$dir/log" || fail "which line is invalid"
  grep -q '^weft: run: line 3: only its first 1023 ids are translated$' "$dir/log" || fail "which line is too long"
  [ "$(wc -l <"$dir/log")" = 3 ] || fail "three lines for the user; got $(cat "$dir/log")"
  echo 'a house 一 by 二 三 四 五 六 一' | "$program" run --model-dir "$dir/m" 2>"$dir/log" >"$dir/out"
  diff "$dir/log" - <<<"weft: run: line 1: unknown to the model: '一', '二', '三', '四', '五', 1 more" || fail "which words are unknown"
  # A translation is there before the next line is.
  mkfifo "$dir/to" "$dir/from"
  "$program" run --model-dir "$dir/m" <"$dir/to" >"$dir/from" &
  local pid=$! line
  exec 3>"$dir/to" 4<"$dir/from"
  for line in "a house" "by the lake"; do
    echo "$line" >&3
    read -r -t 20 _ <&4 || fail "no translation before the end of the input"
  done
  exec 3>&-
  wait $pid || fail "run"
}

case_decode() { # n-best lists and samples
  train "$dir/m" --steps 20
  printf 'a house\n\na \xff\nby the lake\n' >"$dir/in"
  run() { "$program" run --model-dir "$dir/m" "$@" <"$dir/in" 2>"$dir/log"; }
  run --beam 4 >"$dir/best" && fail "no error for an invalid line"
  run --n-best 4 >"$dir/out" && fail "no error for an invalid line"
  [ "$(wc -l <"$dir/out")" = 10 ] || fail "expected 4 + 1 + 1 + 4 lines, got $(cat "$dir/out")"
  [ "$(cut -f 1 "$dir/out" | uniq -c | awk '{ print $1 }' | xargs)" = "4 1 1 4" ] || fail "which line is which"
  [ "$(awk -F '\t' 'NF != 4' "$dir/out")" = "" ] || fail "four columns"
  [ "$(awk -F '\t' '!seen[$1]++ { print $4 }' "$dir/out")" = "$(cat "$dir/best")" ] || fail "the first is not the best"
  awk -F '\t' '$1 == line && $2 > score { exit 1 } { line = $1; score = $2 }' "$dir/out" || fail "not sorted by score"
  run --sample --seed 3 --temperature 2 >"$dir/out" && fail "no error for an invalid line"
  run --sample --seed 3 --temperature 2 >"$dir/again" && fail "no error for an invalid line"
  cmp "$dir/out" "$dir/again" || fail "one seed, two samples"
  [ "$(wc -l <"$dir/out")" = 4 ] || fail "a sample for each line"
  run --sample --seed 4 --temperature 2 >"$dir/again" && fail "no error for an invalid line"
  cmp -s "$dir/out" "$dir/again" && fail "two seeds, one sample"
  run --sample --n-best 3 >"$dir/out" && fail "no error for an invalid line"
  [ "$(wc -l <"$dir/out")" = 8 ] || fail "expected 3 + 1 + 1 + 3 lines, got $(cat "$dir/out")"
  # A line's sample depends on its number alone, whatever else is there.
  printf 'the lake by the house\n\n\nby the lake\n' >"$dir/in"
  run --sample --n-best 3 >"$dir/again" || fail "run"
  [ "$(tail -n 3 "$dir/out")" = "$(tail -n 3 "$dir/again")" ] || fail "a sample depends on other lines"
  expect_error "run: --n-best must be at most --beam; got 5 and 2" run --model-dir "$dir/m" --beam 2 --n-best 5
  expect_error "run: --beam is of beam search, which --sample replaces; got --beam 2" \
    run --model-dir "$dir/m" --sample --beam 2
  expect_error "run: --length-penalty is of beam search" run --model-dir "$dir/m" --sample --length-penalty 2
  local option
  for option in "--temperature 2" "--top-k 3" "--top-p 0.5" "--seed 1"; do
    # shellcheck disable=SC2086  # an option and its value
    expect_error "run: ${option% *} needs --sample; got $option" run --model-dir "$dir/m" $option
  done
  expect_error "temperature: must be in (0, 1000]; got 0" run --model-dir "$dir/m" --sample --temperature 0
}

case_choose() { # ways to choose among translations, and what is said of them
  train "$dir/m" --steps 20
  head -n 4 "$dir/en" >"$dir/in"
  run() { "$program" run --model-dir "$dir/m" "$@" <"$dir/in" 2>"$dir/log" || { cat "$dir/log" >&2; fail "run $*"; }; }
  run >"$dir/best"
  run --sample --top-p 1e-9 | cmp - "$dir/best" || fail "the smallest nucleus is the likeliest piece"
  run --ensemble "$dir/m,$dir/m" | cmp - "$dir/best" || fail "an ensemble of equals"
  expect_error "$dir/none" run --model-dir "$dir/m" --ensemble "$dir/none" --ensemble "$dir/m"
  run --prefixes | cmp - "$dir/best" || fail "no prefix"
  awk '{ print $0 "\tsee" }' "$dir/in" >"$dir/prefixed"
  "$program" run --model-dir "$dir/m" --prefixes <"$dir/prefixed" >"$dir/out" || fail "--prefixes"
  [ "$(grep -c '^see' "$dir/out")" = 4 ] || fail "translations must begin as they are told to: $(cat "$dir/out")"
  run --alignments >"$dir/out"
  cut -f 1 "$dir/out" | cmp - "$dir/best" || fail "alignments changed the translations"
  paste "$dir/in" "$dir/out" | awk -F '\t' '{
    words = split($1, s, " "); of_target = split($2, t, " "); n = split($3, links, " ")
    if (n < of_target) exit 1  # at least one for each word
    for (i = 1; i <= n; ++i) { split(links[i], l, "-"); if (l[1] >= words || l[2] >= of_target) exit 1 }
  }' || fail "links beyond the words: $(cat "$dir/out")"
  run --n-best 3 --coverage-penalty 5 >"$dir/out"
  awk -F '\t' '$1 == line && $2 > score { exit 1 } { line = $1; score = $2 }' "$dir/out" || fail "not sorted by score"
  [ "$(wc -l <"$dir/out")" = 12 ] || fail "three of each"
  expect_error "run: --coverage-penalty is of beam search" run --model-dir "$dir/m" --sample --coverage-penalty 2
  train "$dir/other" --steps 2 --vocab-size 40
  expect_error "run: models of an ensemble must have one vocabulary; got another in $dir/other than in $dir/m" \
    run --model-dir "$dir/m" --ensemble "$dir/other"
}

case_files() { # training on files, with subwords
  printf 'house %.0s' $(seq 500) >>"$dir/valid.en"
  printf 'haus %.0s' $(seq 500) >>"$dir/valid.de"
  printf '\n  \na house\n' >>"$dir/en"
  printf 'ein haus\nein haus\n\302\240\n' >>"$dir/de"
  train "$dir/m" --steps 10 --accumulate 3
  grep -q '^3 training pairs have an empty side and are left out$' "$dir/log" || fail "empty pairs must be said"
  grep -q '^300 pairs, ' "$dir/log" || fail "empty pairs must be left out"
  grep -q '^1 validation pairs are longer than --max-tokens 256' "$dir/log" || fail "a pair left out must be said"
  "$program" run --model-dir "$dir/m" <"$dir/en" >"$dir/out"
  "$program" score --hypothesis "$dir/out" --reference "$dir/de" --tokenize none | grep -q '^BLEU|' || fail "score"
}

case_score() { # every metric, or the one that is named
  printf 'a B c d\na\n' >"$dir/hypothesis"
  printf 'a b c d\nb\n' >"$dir/reference"
  score() { "$program" score --hypothesis "$dir/hypothesis" --reference "$dir/reference" "$@"; }
  score --lowercase >"$dir/out"
  sed -i 's/version:weft-[0-9.]*/version:weft/' "$dir/out"
  diff - "$dir/out" >&2 <<'EOF' || fail "scores"
BLEU|nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:weft = 94.57 80.0/100.0/100.0/100.0 (BP = 1.000 ratio = 1.000 hyp_len = 5 ref_len = 5)
chrF = 95.00
exact match = 50.00
token accuracy = 80.00
TER = 20.00
WER = 20.00
EOF
  [ "$(score --metric exact)" = "exact match = 0.00" ] || fail "--metric"
  score --metric bleu --tokenize none | grep -q '^BLEU|nrefs:1|case:mixed|eff:no|tok:none' || fail "--metric bleu"
  printf 'a b c d\nb\n' >"$dir/against"
  score --against "$dir/against" --metric wer --seed 2 | sed 's/  */ /g' >"$dir/out"
  diff - "$dir/out" >&2 <<'EOF' || fail "--against"
 hypothesis against difference p better in
WER 40.00 [25.00, 100.00] 0.00 [0.00, 0.00] +40.00 0.2567 0.0 %
[95 % of 1000 resamples, seed 2]
EOF
  score --confidence --resamples 50 --metric bleu --tokenize none | tail -n 1 |
    grep -q '^\[95 % of 50 resamples, seed 0\]; BLEU|nrefs:1|case:mixed|eff:no|tok:none' || fail "--confidence"
  expect_error "--seed needs --confidence or --against; got --seed 2" \
    score --hypothesis "$dir/reference" --reference "$dir/reference" --seed 2
  expect_error "--tokenize is of bleu; got --metric chrf" \
    score --hypothesis "$dir/reference" --reference "$dir/reference" --metric chrf --tokenize none
  expect_error "metric: must be one of bleu, chrf, exact, tokens, ter, wer; got 'blue'" \
    score --hypothesis "$dir/reference" --reference "$dir/reference" --metric blue
  # One line is too long for two of the metrics.
  printf '%0.s a' $(seq 20001) >"$dir/reference"
  printf '\nb\n' >>"$dir/reference"
  score >"$dir/out" 2>"$dir/log" || fail "a long line"
  [ "$(cut -d ' ' -f 1 "$dir/out" | cut -d '|' -f 1 | tr '\n' ' ')" = "BLEU chrF exact token " ] || fail "a long line: $(cat "$dir/out")"
  grep -q '^weft: score: no TER: .*20001$' "$dir/log" && grep -q '^weft: score: no WER: .*20001$' "$dir/log" || fail "$(cat "$dir/log")"
  expect_error "may have at most 20000 words" score --hypothesis "$dir/hypothesis" --reference "$dir/reference" --metric ter
}

case_data() { # files of pairs, a part held out for validation, and a test
  paste "$dir/en" "$dir/de" >"$dir/pairs.tsv"
  paste "$dir/valid.en" "$dir/valid.de" >"$dir/valid.tsv"
  run() { # NAME ARGS...: into $dir/NAME, from $dir; what it prints into NAME.out and NAME.log
    local name=$1
    shift
    (cd "$dir" && "$program" train "${small[@]}" --vocab-size 60 --model-dir "$name" "$@" >"$name.out" 2>"$name.log") ||
      { cat "$dir/$name.log" >&2; fail "train $*"; }
  }
  train "$dir/sides" --steps 4
  run pairs --data pairs.tsv --valid-data valid.tsv --steps 4
  same_tensors "$dir/sides/last.safetensors" "$dir/pairs/last.safetensors" "a file of pairs is not its two sides"
  ! grep -q 'held out' "$dir/pairs.log" || fail "nothing is to be held out"

  printf 'no target\t\n' | cat "$dir/valid.tsv" - >"$dir/test.tsv"
  run whole --data pairs.tsv --test-data test.tsv --steps 8
  grep -q '^15 pairs are held out for validation$' "$dir/whole.log" || fail "it must say how many are held out"
  grep -q '^285 pairs, ' "$dir/whole.log" || fail "pairs held out were trained on"
  grep -q '^1 test pairs have an empty side and are left out$' "$dir/whole.log" || fail "test pairs left out must be said"
  grep -q '% test: translated exactly$' "$dir/whole.out" || fail "the report lacks the test"
  grep -q '"exact_match"' "$dir/whole/summary.json" || fail "summary.json lacks the test"
  run seed --data pairs.tsv --steps 1 --seed 2
  validation_set() { grep -ao '"setting.validation set":"[^"]*"' "$dir/$1/last.safetensors"; }
  [ "$(validation_set whole)" = "$(validation_set seed)" ] || fail "what is held out depends on the seed"

  run parts --data pairs.tsv --steps 4
  "$program" train --model-dir "$dir/parts" --resume --steps 6 >/dev/null 2>"$dir/log" || fail "a run must know its files"
  "$program" train --model-dir "$dir/parts" --resume --steps 8 --train-source "$dir/en" --train-target "$dir/de" \
    --test-data "$dir/test.tsv" >"$dir/out" 2>"$dir/log" || { cat "$dir/log" >&2; fail "the same pairs in other files"; }
  same_tensors "$dir/whole/last.safetensors" "$dir/parts/last.safetensors" "resumed weights differ"
  grep -q '% test: translated exactly$' "$dir/out" || fail "a test may come later"
  expect_error "needs the run's corpus of 285 pairs" train --model-dir "$dir/parts" --resume --data "$dir/valid.tsv"

  local given=(train --model-dir "$dir/m" --data "$dir/pairs.tsv")
  expect_error "--data and --train-source exclude each other" "${given[@]}" --train-source "$dir/en"
  expect_error "--valid-source needs --valid-target too" "${given[@]}" --valid-source "$dir/en"
  expect_error "--task german has a corpus of its own; got --data too" "${given[@]}" --task german
  expect_error "needs a corpus" train --model-dir "$dir/m" --test-data "$dir/test.tsv"
  expect_error "got 0 tabs at line 1 of '$dir/en'" "${given[@]}" --valid-data "$dir/en"
  head -n 1 "$dir/pairs.tsv" >"$dir/one.tsv"
  expect_error "needs two different sources" train --model-dir "$dir/m" --data "$dir/one.tsv"
  [ ! -e "$dir/m" ] || fail "a run that cannot begin left something behind"
}

case_gzip() { # corpora and input that are packed with gzip, whatever their names are
  local side
  for side in en de valid.en valid.de; do gzip -c "$dir/$side" >"$dir/$side.packed"; done
  train "$dir/plain" --steps 4
  train "$dir/packed" --steps 4 --train-source "$dir/en.packed" --train-target "$dir/de.packed" \
    --valid-source "$dir/valid.en.packed" --valid-target "$dir/valid.de"
  same_tensors "$dir/plain/last.safetensors" "$dir/packed/last.safetensors" "a packed corpus is another"
  train "$dir/packed" --resume --steps 6
  "$program" run --model-dir "$dir/plain" <"$dir/en" >"$dir/out" || fail "run"
  { gzip -c "$dir/valid.en"; tail -n +21 "$dir/en" | gzip -c; } >"$dir/joined.gz" # two files are one
  "$program" run --model-dir "$dir/plain" <"$dir/joined.gz" | cmp - "$dir/out" || fail "packed input"
  gzip -c "$dir/out" >"$dir/out.gz"
  [ "$("$program" score --hypothesis "$dir/out.gz" --reference "$dir/de.packed")" = \
    "$("$program" score --hypothesis "$dir/out" --reference "$dir/de")" ] || fail "packed files score"

  local given=(train --model-dir "$dir/m" --data)
  head -c 300 "$dir/joined.gz" >"$dir/cut.gz"
  expect_error "read: '$dir/cut.gz' is cut off: its gzip data do not end, at byte 300" "${given[@]}" "$dir/cut.gz"
  if "$program" run --model-dir "$dir/plain" <"$dir/cut.gz" >"$dir/out" 2>"$dir/log"; then fail "input that is cut off"; fi
  grep -q '^weft: read: standard input is cut off: its gzip data do not end, at byte 300$' "$dir/log" || fail "which input"
  { cat "$dir/joined.gz"; echo junk; } >"$dir/junk.gz"
  expect_error "read: '$dir/junk.gz' holds damaged gzip data: incorrect header check" "${given[@]}" "$dir/junk.gz"
  (
    export OPENBLAS_NUM_THREADS=1
    ulimit -v 600000
    "$program" --version >/dev/null 2>&1 || exit 0 # sanitizers need more
    head -c 350000000 < <(yes "$(printf 'x%.0s' $(seq 100000))") | gzip -1 >"$dir/bomb.gz"
    expect_error "'$dir/bomb.gz' holds more text than half of the memory (0.3 GB), at line 30" "${given[@]}" "$dir/bomb.gz"
  )
  [ ! -e "$dir/m" ] || fail "a run that cannot begin left something behind"
}

case_errors() {
  printf 'a b\nc d\n' >"$dir/two"
  printf 'a b\n' >"$dir/one"
  printf 'ok\n\xff\xfe\n' >"$dir/bad"
  : >"$dir/empty"
  printf '\n \n' >"$dir/blank"
  local files=(--train-target "$dir/two" --valid-source "$dir/two" --valid-target "$dir/two")
  expect_error "needs a corpus" train --model-dir "$dir/m"
  expect_error "--nonsense" train --task german --model-dir "$dir/m" --nonsense
  expect_error "no/such/file" train --model-dir "$dir/m" --train-source no/such/file "${files[@]}"
  expect_error "1" train --model-dir "$dir/m" --train-source "$dir/one" "${files[@]}"
  expect_error "UTF-8" train --model-dir "$dir/m" --train-source "$dir/bad" "${files[@]}"
  expect_error "empty" train --model-dir "$dir/m" --train-source "$dir/empty" "${files[@]}"
  expect_error "has words on both sides" train --model-dir "$dir/m" --train-source "$dir/blank" "${files[@]}"
  expect_error "heads" train --task german --model-dir "$dir/m" --d-model 30 --heads 4
  local option name
  for option in "--lr -1" "--lr inf" "--decay inf" "--clip nan" "--dropout 1" "--label-smoothing nan" "--minutes nan" \
    "--steps -1" "--epochs 99999999999999999999" "--accumulate 0" "--seed -1" "--seed 99999999999999999999" \
    "--threads 0" "--layers 0" "--steps 010" "--steps 0x10" "--steps 1e3" "--steps 5s" "--lr 0.1x" "--lr 00.1" \
    "--epochs=" "--seed=" "--metric=" "--task="; do
    name=${option%%[ =]*}
    # shellcheck disable=SC2086  # an option and its value
    expect_error "${name#--}: " train --task german --model-dir "$dir/m" $option
  done
  expect_error "nonsense" nonsense
  expect_error "see weft run --help" run
  expect_error "no pair fits into --max-tokens 1" train --model-dir "$dir/m" "${corpus[@]}" --max-tokens 1
  printf 'haus %.0s' $(seq 500) >"$dir/long"
  expect_error "no validation pair fits into --max-tokens 256" train --model-dir "$dir/m" --max-tokens 256 \
    "${corpus[@]}" --valid-source "$dir/long" --valid-target "$dir/long"
  [ ! -e "$dir/m" ] || fail "a run that cannot begin left something behind"
  expect_error "config.json" run --model-dir "$dir/nothing"
  expect_error "length-penalty: must be in [0, 10]; got nan" run --model-dir "$dir/nothing" --length-penalty nan
  expect_error "beam: must be in [1, 100]; got 0" run --model-dir "$dir/nothing" --beam 0
  expect_error "beam: must be a whole number" run --model-dir "$dir/nothing" --beam 010
  expect_error "2" score --hypothesis "$dir/two" --reference "$dir/one"
  expect_error "checkpoint" train --task german --model-dir "$dir/nothing" --resume
  if "$program" score --hypothesis "$dir/two" --reference "$dir/two" >/dev/full 2>"$dir/log"; then
    fail "a full disk must be an error"
  fi
  for option in --help --version; do
    if "$program" $option >/dev/full 2>"$dir/log"; then fail "$option that cannot be printed must be an error"; fi
    [ "$(cat "$dir/log")" = "weft: standard output cannot be written: No space left on device" ] || fail "$option: $(cat "$dir/log")"
  done
  train "$dir/small" --steps 2
  local again=(train --model-dir "$dir/small" "${corpus[@]}" --max-tokens 256)
  expect_error "--vocab-size 60; got 50" "${again[@]}" --resume --vocab-size 50
  expect_error "validation set of 20 pairs" "${again[@]}" --resume --valid-source "$dir/valid.de"
  expect_error "--task files; got german" train --model-dir "$dir/small" --resume --task german
  expect_error "exclude" "${again[@]}" --resume --overwrite
  expect_error "--seed 1; got 7" "${again[@]}" --resume --seed 7
  expect_error "--clip 0; got 1" "${again[@]}" --resume --clip 1
  expect_error "--layers 1; got 3" "${again[@]}" --resume --layers 3
  expect_error "corpus of 300 pairs" "${again[@]}" --resume --train-source "$dir/de"
  expect_error "--resume" "${again[@]}"
  expect_error "cannot create '/dev/null/m': Not a directory" train --task german --model-dir /dev/null/m
  expect_error "no pair fits" "${again[@]}" --overwrite --max-tokens 1
  [ -f "$dir/small/best.safetensors" ] || fail "a run that cannot begin removed the model"
  if "$program" run --model-dir "$dir/small" <"$dir" 2>"$dir/log"; then fail "a folder is no standard input"; fi
  cp -r "$dir/small" "$dir/other"
  sed -i 's/"heads": 2/"heads": 4/' "$dir/other/config.json" # weights of the same shapes
  expect_error "config.json: not a model's settings: it was changed since weft wrote it" run --model-dir "$dir/other"
  cp "$dir/small/config.json" "$dir/other"
  head -c 100 "$dir/small/best.safetensors" >"$dir/other/best.safetensors"
  expect_error "best.safetensors" run --model-dir "$dir/other"
}

"case_$2"
echo "ok: $2"
