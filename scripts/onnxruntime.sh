#!/usr/bin/env bash
# Puts ONNX Runtime for JavaScript, the npm package onnxruntime-web, where the tests of `weft export` look
# for it, or into another folder: scripts/onnxruntime.sh [FOLDER]
# No script of a package runs; npm compares what it gets with the registry's checksums.
set -euo pipefail
folder=${1:-$(dirname "$0")/../build/onnxruntime}
version=1.30.0

die() {
  echo "onnxruntime.sh: $1" >&2
  exit 1
}

command -v npm >/dev/null || die "npm is missing (Debian: npm)"
if [ -f "$folder/node_modules/onnxruntime-web/package.json" ] &&
  grep -q "\"version\": \"$version\"" "$folder/node_modules/onnxruntime-web/package.json"; then
  exit 0
fi
mkdir -p "$folder"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error "onnxruntime-web@$version" ||
  die "npm could not install onnxruntime-web@$version into $folder"
