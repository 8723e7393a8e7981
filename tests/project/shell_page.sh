#!/usr/bin/env bash
# Runs a page's commands, in order, in an empty folder; each block must succeed.
# usage: shell_page.sh PAGE.md PROGRAM, which is on the PATH
#   ```sh      commands
#   ```text    what the block before it prints on standard output
# Other blocks are passed over.
set -euo pipefail
page=$1 program=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PATH="${program%/*}:$PATH"

awk -v dir="$dir" '
  /^```/ { inside = !inside; if (file) close(file); file = "" }
  /^```sh$/ && inside { file = sprintf("%s/%03d.sh", dir, ++n) }
  /^```text$/ && inside { file = sprintf("%s/%03d.text", dir, n) }
  /^```/ { next }
  file { print > file }' "$page"

mkdir "$dir/folder"
for block in "$dir"/*.sh; do
  (cd "$dir/folder" && bash -euo pipefail "$block" >"$dir/out" 2>"$dir/log") ||
    { echo "$page: this block fails:"; cat "$block" "$dir/log"; exit 1; } >&2
  [ ! -f "${block%.sh}.text" ] || diff --label "$page" --label "what it prints" -u "${block%.sh}.text" "$dir/out"
done
