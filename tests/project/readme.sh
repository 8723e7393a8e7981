#!/usr/bin/env bash
# The README shows the first program as it is. usage: readme.sh SOURCE_DIR
set -euo pipefail
program=$(<"$1/examples/attention_gradient/main.cpp")
[[ $(<"$1/README.md") == *"$program"* ]] || {
  echo "README.md does not show examples/attention_gradient/main.cpp as it is" >&2
  exit 1
}
