#!/usr/bin/env bash
# A page of docs as a program: its code is compiled and run, and must print what the page says.
#   page.sh code PAGE.md             writes the program to standard output
#   page.sh check PAGE.md PROGRAM    runs it and compares
# What follows a fence tells what a block is:
#   ```cpp       declarations at file scope: includes, functions, classes, ops
#   ```cpp run   statements: a function of its own; main calls these in order
#   ```text      what the program prints, all such blocks together
# A page without `cpp run` brings its own main. Other blocks are passed over.
set -euo pipefail
mode=$1 page=$2

code() {
  awk -v page="$page" '
    /^```/ && kind { if (kind == "run") print "}"; kind = ""; next }
    /^```/ {
      kind = $0 == "```cpp" ? "file" : $0 == "```cpp run" ? "run" : "other"
      if (kind == "run") print "static void block_" ++runs "() {"
      if (kind != "other") printf "#line %d \"%s\"\n", NR + 1, page
      next
    }
    kind == "file" || kind == "run"
    END {
      if (!runs) exit
      print "int main() {"
      for (i = 1; i <= runs; ++i) print "  block_" i "();"
      print "}"
    }' "$page"
}

expected() { awk '/^```/ { inside = !inside && $0 == "```text"; next } inside' "$page"; }

case $mode in
  code) code ;;
  check) diff --label "$page" --label "what it prints" -u <(expected) <("$3") ;;
  *) echo "page.sh: expected code or check; got $mode" >&2; exit 2 ;;
esac
