#!/usr/bin/env python3
"""Do the tests notice faults? Applies faults to a copy of the sources, one at a time, and runs the
tests until one fails.

  tests/mutations/run.py chosen            the twenty faults of chosen.py
  tests/mutations/run.py random            100 random faults of autograd/ops (see operators.py)
  tests/mutations/run.py report            what was found so far
  tests/mutations/run.py check             whether the twenty fit the sources; nothing is built
      --count N    how many random faults    --seed S     which ones
      --seconds S  stop after that long; the next call goes on from there
      --fresh      forget what was found and copy the sources (those of HEAD) anew
      --survivors  run the tests again on those that survived, then under ASan + UBSan as well
      --tests      copy the tests of HEAD anew, for instance before --survivors

A fault that does not compile does not count, and another takes its place. Everything is in
build/mutations; the tree itself is not touched.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import chosen
import operators

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutations"
SOURCE, RESULTS = WORK / "source", WORK / "results.json"

# A build of the tests: its folder, its options, and programs with the seconds after which they
# hang, in order of likelihood.
PLAIN = (WORK / "plain", [], [
    (["test_autograd", "--abort"], 60),
    (["test_property", "--abort"], 120),
    (["fuzz_graphs", "--seconds", "5", "--seed", "1"], 60),
    (["test_nn", "--abort"], 120),
    (["test_optim", "--abort"], 120),
])
SANITIZED = (WORK / "sanitized", ["-DWEFT_SANITIZE=address,undefined"], [
    (["test_autograd", "--abort"], 120),
    (["test_property", "--abort"], 120),
])


def run(command, seconds=None):
    """Exit status and output; a status of None says that the time ran out."""
    try:
        done = subprocess.run(command, cwd=SOURCE, timeout=seconds, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return None, ""


def copy_from_head(path):
    archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD", path], check=True,
                             stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", SOURCE], input=archive, check=True)


def prepare(tiers):
    """Copies the sources of HEAD and builds the tests, unless that was done."""
    if not SOURCE.exists():
        SOURCE.mkdir(parents=True)
        copy_from_head(".")
    for folder, options, programs in tiers:
        status, output = run(["cmake", "-S", str(SOURCE), "-B", str(folder), "-G", "Ninja",
                              "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                              "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -D_GLIBCXX_ASSERTIONS",
                              "-DWEFT_BUILD_EXAMPLES=OFF", "-DWEFT_BUILD_BENCH=OFF", *options])
        if status == 0:
            status, output = run(["ninja", "-C", str(folder), *(p[0][0] for p in programs)])
        if status != 0:
            sys.exit(f"the copy does not build:\n{output[-4000:]}")


def first_failure(tiers):
    """Which program notices the fault in the copy; "" if none, None if it does not compile."""
    for folder, _, programs in tiers:
        for command, seconds in programs:
            status, output = run(["ninja", "-C", str(folder), command[0]])
            if status != 0:
                return None
            program = next(f for f in (folder / "tests").rglob(command[0]) if f.is_file())
            status, output = run([str(program), *command[1:]], seconds)
            name = f"{folder.name} {command[0]}"
            if status is None:
                return f"{name}: no end"
            if status != 0:
                failed = re.search(r"[^\n]*?(\w+/\w+\.cpp:\d+): FAILED", output)
                return f"{name}{': ' + failed[1] if failed else ''}"
    return ""


def try_fault(path, mutate, tiers):
    file = SOURCE / path
    text = file.read_text()
    try:
        file.write_text(mutate(text))
        return first_failure(tiers)
    finally:
        file.write_text(text)


def check_chosen(source):
    for path, old, _, _ in chosen.CHOSEN:
        if (source / path).read_text().count(old) != 1:
            sys.exit(f"chosen.py: {path} must have once: {old}")


def chosen_faults():
    check_chosen(SOURCE)
    for path, old, new, what in chosen.CHOSEN:
        yield what, path, lambda t, old=old, new=new: t.replace(old, new)


def random_faults(seed):
    """Random sites, the operators in turn."""
    by_operator = {name: [] for name in operators.OPERATORS}
    for file in sorted((SOURCE / "autograd/ops").rglob("*.cpp")):
        if file.name.endswith("_samples.cpp"):
            continue
        for site in operators.sites(str(file.relative_to(SOURCE)), file.read_text()):
            by_operator[site[0]].append(site)
    generator = random.Random(seed)
    for list_of_sites in by_operator.values():
        generator.shuffle(list_of_sites)
    while any(by_operator.values()):
        for name, list_of_sites in by_operator.items():
            if not list_of_sites:
                continue
            _, path, number, old, new = list_of_sites.pop()

            def mutate(text, number=number, new=new):
                lines = text.split("\n")
                lines[number - 1] = new
                return "\n".join(lines)

            yield f"{path}:{number}: {name}\n  - {old.strip()}\n  + {new.strip()}", path, mutate


def load():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"chosen": {}, "random": {}}


def save(results):
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def report(results):
    for kind, found in results.items():
        counted = {what: by for what, by in found.items() if by is not None}
        caught = sum(1 for by in counted.values() if by)
        if counted:
            print(f"{kind}: {caught} of {len(counted)} caught "
                  f"({len(found) - len(counted)} did not compile)")
        for what, by in counted.items():
            if not by:
                print(f"  survived: {what}")
    return all(by for by in results["chosen"].values())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["chosen", "random", "report", "check"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--tests", action="store_true")
    options = parser.parse_args()
    if options.kind == "check":
        check_chosen(ROOT)
        return
    begin = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # puts the file back first
    if options.fresh:
        shutil.rmtree(SOURCE, ignore_errors=True)
        RESULTS.unlink(missing_ok=True)
    results = load()
    if options.kind == "report":
        sys.exit(0 if report(results) else 1)
    if options.tests:
        copy_from_head("tests")
    tiers = [PLAIN, SANITIZED] if options.survivors else [PLAIN]
    prepare(tiers)
    if failure := first_failure(tiers):
        sys.exit(f"the tests fail without a fault: {failure}")
    found = results[options.kind]
    faults = chosen_faults() if options.kind == "chosen" else random_faults(options.seed)
    for what, path, mutate in faults:
        if options.kind == "random":
            if sum(1 for by in found.values() if by is not None) >= options.count and \
                    not options.survivors:
                break
        again = options.survivors and found.get(what) == ""
        if what in found and not again or options.survivors and not again:
            continue
        if time.monotonic() - begin > options.seconds:
            print("out of time; call again to go on")
            break
        found[what] = try_fault(path, mutate, tiers)
        print(f"{'does not compile' if found[what] is None else found[what] or 'SURVIVED'} <- "
              f"{what}", flush=True)
        save(results)
    report(results)


if __name__ == "__main__":
    os.nice(5)
    main()
