#!/usr/bin/env bash
# Trains a Transformer of the size of Wu et al. 2021 ("Transformer-Tiny") on Multi30K, English to German,
# in two hours (docs/results.md), then translates test_2016_flickr and scores it: two teachers learn the
# corpus and translate its sources together; a student goes on from the second with their translations
# beside the references. Arguments go to each `weft train`:
#   scripts/multi30k.sh --minutes 1
# TEACHERS=0 trains one model on the references alone. TAUGHT is how many sentences are translated, all
# unless set.
# The model goes to $MODEL_DIR (runs/multi30k unless set), what teaches it to $MODEL_DIR-teachers; those of
# an earlier run are replaced, unless one of the arguments is --resume.
# The corpus is looked for in $MULTI30K_DIR, else ../shared/multi30k, else it is downloaded once.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${MODEL_DIR:-runs/multi30k}
commit=a3d2e0d26b56f3846f66a952536ffed4e401d05a  # of github.com/multi30k/dataset
checksums="\
08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119  train.lc.norm.tok.en
cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505  train.lc.norm.tok.de
46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec  val.lc.norm.tok.en
97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00  val.lc.norm.tok.de
5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2  test_2016_flickr.lc.norm.tok.en
c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4  test_2016_flickr.lc.norm.tok.de"

die() {
  echo "multi30k.sh: $1" >&2
  exit 1
}

# Fetches the corpus into a folder beside $1 and renames it when every checksum is right.
download() {
  local partial=$1.partial file
  scripts/packages.sh curl ca-certificates
  echo "Downloading Multi30K (for research and education; Elliott et al. 2016) into $1"
  mkdir -p "$partial"
  while read -r _ file; do
    curl --fail --silent --show-error --location --retry 3 --output "$partial/$file" \
      "https://raw.githubusercontent.com/multi30k/dataset/$commit/data/task1/tok/$file" ||
      die "cannot download $file; put the corpus into a folder and name it in MULTI30K_DIR"
  done <<<"$checksums"
  (cd "$partial" && sha256sum --check --quiet <<<"$checksums") || die "the download is damaged; run again"
  mv "$partial" "$1"
}

if [ -n "${MULTI30K_DIR:-}" ]; then
  corpus=$MULTI30K_DIR
elif [ -d ../shared/multi30k ]; then
  corpus=../shared/multi30k
else
  corpus=data/multi30k
  [ -d "$corpus" ] || download "$corpus"
fi
while read -r _ file; do
  [ -r "$corpus/$file" ] || die "$corpus has no readable $file"
done <<<"$checksums"

scripts/setup.sh release weft_program
weft=build/release/bin/weft

precision=(--precision bf16)
grep -q avx512_bf16 /proc/cpuinfo || precision=()
train=$corpus/train.lc.norm.tok
resume=''
arguments=()
for argument in "$@"; do
  [ "$argument" = --resume ] && resume=yes || arguments+=("$argument")
done

# train_model DIR ARGS...: what has not begun yet begins, with --resume too.
train_model() {
  local dir=$1 begin=--overwrite
  shift
  [ -z "$resume" ] || [ ! -e "$dir/run.toml" ] || begin=--resume
  "$weft" train --model-dir "$dir" "$begin" \
    --valid-source "$corpus/val.lc.norm.tok.en" --valid-target "$corpus/val.lc.norm.tok.de" \
    --label-smoothing 0.1 --optimizer muon --warmup 200 --schedule linear \
    --max-tokens 2048 --accumulate 2 "${precision[@]}" \
    --average 6 --validate-every 500 --patience 52 "$@" "${arguments[@]}"
}

# On the references, from nothing.
train_alone() {
  local dir=$1
  shift
  train_model "$dir" --train-source "$train.en" --train-target "$train.de" \
    --vocab-size 4000 --layers 4 --d-model 128 --ffn 256 --heads 4 --norm pre --lr 0.008 "$@"
}

# What both teachers make of the sources of the corpus. One thread each is faster than two for one.
teach() {
  local teachers=$1 pids=() pid
  mkdir -p "$teachers"
  trap 'kill $(jobs -p) 2>/dev/null || true' EXIT # the other one, where one fails
  train_alone "$teachers/1" --threads 1 --dropout 0.3 --steps 12000 2>&1 | sed -u 's/^/teacher 1: /' &
  pids+=($!)
  train_alone "$teachers/2" --threads 1 --dropout 0.25 --attention-dropout 0.1 --activation-dropout 0.1 \
    --seed 2 --steps 12000 2>&1 | sed -u 's/^/teacher 2: /' &
  pids+=($!)
  for pid in "${pids[@]}"; do wait "$pid"; done
  head -n "${TAUGHT:-29000}" "$train.en" >"$teachers/taught.en"
  echo "The teachers translate $(wc -l <"$teachers/taught.en") sentences"
  "$weft" run --model-dir "$teachers/1" --ensemble "$teachers/2" --beam 5 --length-penalty 2 \
    <"$teachers/taught.en" >"$teachers/taught.de"
  cat "$train.en" "$teachers/taught.en" >"$teachers/all.en"
  cat "$train.de" "$teachers/taught.de" >"$teachers/all.de.partial"
  mv "$teachers/all.de.partial" "$teachers/all.de"
}

penalty=2 # chosen in validation, as the other
if [ "${TEACHERS:-2}" = 0 ]; then
  penalty=1
  train_alone "$model" --dropout 0.25 --steps 26000
else
  if [ -z "$resume" ] || [ ! -e "$model-teachers/all.de" ]; then teach "$model-teachers"; fi
  train_model "$model" --init-from "$model-teachers/2" \
    --train-source "$model-teachers/all.en" --train-target "$model-teachers/all.de" \
    --dropout 0.2 --attention-dropout 0 --activation-dropout 0 --lr 0.006 --steps 8500
fi

test=$corpus/test_2016_flickr.lc.norm.tok
hypothesis=$model/test_2016_flickr.de
"$weft" run --model-dir "$model" --beam 5 --length-penalty "$penalty" <"$test.en" >"$hypothesis"
"$weft" score --hypothesis "$hypothesis" --reference "$test.de" --tokenize none
echo "model: $model; translations: $hypothesis"
