#!/usr/bin/env bash
# Pages show the examples' code as it is. usage: readme.sh SOURCE_DIR
set -euo pipefail

# shows PAGE EXAMPLE CODE: CODE, of that example, stands in the page.
shows() {
  [[ $(<"$1") == *"$3"* ]] || { echo "$1 does not show the code of $2 as it is" >&2; exit 1; }
}

first=$1/examples/attention_gradient/main.cpp
shows "$1/README.md" "$first" "$(<"$first")"
for example in new_op new_layer; do
  source=$1/examples/$example/main.cpp
  shows "$1/docs/extending.md" "$source" "$(sed -n '/^namespace {/,/^}  \/\/ namespace/p' "$source")"
done
