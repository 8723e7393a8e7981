#!/usr/bin/env bash
# Trains a small Transformer to say how English words are pronounced, on the CMU Pronouncing
# Dictionary, and judges it on words that it has not seen. Arguments go to `weft train`:
#   scripts/g2p.sh --minutes 1
# The model goes to $MODEL_DIR (runs/g2p unless set); that of an earlier run is replaced, unless one
# of the arguments is --resume.
# The dictionary comes from npm, once, and goes to data/g2p as train.tsv, valid.tsv and test.tsv: a
# word's letters, a tab and its phonemes, with spaces between them.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${MODEL_DIR:-runs/g2p}
corpus=data/g2p
version=3.0.0
checksum=ca16ac157e95277ffe1ca105a5ca2c833a15626024f15711c2a425da367b68ce

die() {
  echo "g2p.sh: $1" >&2
  exit 1
}

# Of words of letters and apostrophes the first pronunciation, without stress. The first four bytes of
# the SHA-256 of a word, modulo 20, say where it goes: 0 to validate on, 1 and 2 to be judged on.
write_splits() {
  node --input-type=module - "$1" <<'END'
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const { dictionary } = await import(pathToFileURL(`${folder}/package/index.js`));
const lines = { train: "", valid: "", test: "" };
for (const [word, entry] of Object.entries(dictionary)) {
  if (!/^[a-z']+$/.test(word)) continue; // "read(2)" is another pronunciation
  const phonemes = entry.replace(/#.*/, "").replace(/[0-9]/g, "").trim();
  const lot = createHash("sha256").update(word).digest().readUInt32BE(0) % 20;
  lines[lot === 0 ? "valid" : lot <= 2 ? "test" : "train"] += `${[...word].join(" ")}\t${phonemes}\n`;
}
for (const split in lines) writeFileSync(`${folder}/${split}.tsv`, lines[split]);
END
}

# Makes the corpus in a folder beside it and renames that when all is right.
download() {
  local partial=$corpus.partial package=cmu-pronouncing-dictionary tool
  for tool in node npm; do
    command -v $tool >/dev/null || die "needs $tool (Node.js 18 or later)"
  done
  rm -rf "$partial"
  mkdir -p "$partial"
  npm pack --silent --pack-destination "$partial" "$package@$version" >/dev/null || die "cannot download $package"
  (cd "$partial" && sha256sum --check --quiet <<<"$checksum  $package-$version.tgz") ||
    die "the download is damaged; run again"
  tar -xzf "$partial/$package-$version.tgz" -C "$partial"
  write_splits "$(realpath "$partial")"
  rm -r "$partial/package" "$partial/$package-$version.tgz"
  mv "$partial" "$corpus"
}

[ -d "$corpus" ] || download
scripts/setup.sh release weft_program

existing=--overwrite
[[ " $* " != *" --resume "* ]] || existing=
build/release/bin/weft train --model-dir "$model" $existing \
  --data "$corpus/train.tsv" --valid-data "$corpus/valid.tsv" --test-data "$corpus/test.tsv" \
  --tokens word --metric exact --d-model 128 --layers 3 --heads 4 --ffn 512 --max-tokens 2048 \
  --lr 2e-3 --warmup 1000 --schedule linear --steps 9200 --validate-every 920 "$@"
