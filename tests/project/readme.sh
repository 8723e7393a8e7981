#!/usr/bin/env bash
# Pages show the examples' code as it is, and the README what its example prints.
# usage: readme.sh SOURCE_DIR [PROGRAM], the program being attention_gradient
set -euo pipefail

# shows PAGE WHAT TEXT: the text stands in the page.
shows() {
  [[ $(<"$1") == *"$3"* ]] || { echo "$1 does not show $2 as it is" >&2; exit 1; }
}

first=$1/examples/attention_gradient/main.cpp
shows "$1/README.md" "$first" "$(<"$first")"
[ -z "${2:-}" ] || shows "$1/README.md" "what $2 prints" "$("$2")"
for example in new_op new_layer; do
  source=$1/examples/$example/main.cpp
  shows "$1/docs/extending.md" "$source" "$(sed -n '/^namespace {/,/^}  \/\/ namespace/p' "$source")"
done
