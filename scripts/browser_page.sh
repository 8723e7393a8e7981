#!/usr/bin/env bash
# Puts ONNX Runtime beside a model that `weft export --onnx DIR` wrote, so that the page there translates
# without a network: scripts/browser_page.sh DIR, then
#   python3 -m http.server --bind 127.0.0.1 --directory DIR    # and open http://127.0.0.1:8000
set -euo pipefail
if [ $# != 1 ] || [ ! -f "$1/decoder_step.onnx" ]; then
  echo "browser_page.sh: expected a folder that weft export --onnx wrote; got ${*:-nothing}" >&2
  exit 1
fi
scripts=$(dirname "$0")
"$scripts/onnxruntime.sh"
for file in ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm; do
  cp "$scripts/../build/onnxruntime/node_modules/onnxruntime-web/dist/$file" "$1"
done
