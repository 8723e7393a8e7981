#!/usr/bin/env python3
"""Do the tests notice faults? Applies faults to a copy of the sources, one at a time, and runs the
tests until one fails.

  tests/mutations/run.py chosen            the twenty faults of chosen.py
  tests/mutations/run.py random            100 random faults of autograd/ops (see operators.py)
  tests/mutations/run.py report            what was found so far
      --count N    how many random faults    --seed S     which ones
      --seconds S  stop after that long; the next call goes on from there
      --fresh      forget what was found and copy the sources (those of HEAD) anew
      --survivors  run the tests again on those that survived, for instance with new tests

A fault that does not compile does not count, and another takes its place. Everything is in
build/mutations; the tree itself is not touched.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time

import chosen
import operators

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutations"
SOURCE, BUILD, RESULTS = WORK / "source", WORK / "build", WORK / "results.json"

# In order of likelihood. A test that takes a hundred times as long as it should hangs.
PROGRAMS = [
    (["test_autograd", "--abort"], 60),
    (["test_property", "--abort"], 120),
    (["fuzz_graphs", "--seconds", "5", "--seed", "1"], 60),
    (["test_nn", "--abort"], 120),
    (["test_optim", "--abort"], 120),
]


def run(command, seconds=None):
    """Exit status and output; a status of None says that the time ran out."""
    memory = lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    try:
        done = subprocess.run(command, cwd=SOURCE, timeout=seconds, preexec_fn=memory,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return None, ""


def build(*targets):
    return run(["ninja", "-C", str(BUILD), *targets])


def prepare():
    """Copies the sources of HEAD and builds the tests, unless that was done."""
    if not SOURCE.exists():
        SOURCE.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True,
                                 stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", SOURCE], input=archive, check=True)
    status, output = run(["cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja",
                          "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                          "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1", "-DWEFT_BUILD_EXAMPLES=OFF",
                          "-DWEFT_BUILD_BENCH=OFF"])
    if status == 0:
        status, output = build(*programs())
    if status != 0:
        sys.exit(f"the copy does not build:\n{output[-4000:]}")


def programs():
    known = run(["ninja", "-C", str(BUILD), "-t", "targets", "all"])[1]
    return [p[0][0] for p in PROGRAMS if f"\n{p[0][0]}: " in known]


def first_failure():
    """Which program notices the fault in the copy; "" if none, None if it does not compile."""
    for command, seconds in PROGRAMS:
        if command[0] not in programs():
            continue
        status, output = build(command[0])
        if status != 0:
            return None
        program = next(f for f in (BUILD / "tests").rglob(command[0]) if f.is_file())
        status, output = run([str(program), *command[1:]], seconds)
        if status is None:
            return f"{command[0]}: no end"
        if status != 0:
            failed = [line for line in output.split("\n") if "FAILED:" in line]
            return f"{command[0]}{': ' + failed[0].split('FAILED')[0] if failed else ''}"
    return ""


def try_fault(path, mutate):
    file = SOURCE / path
    text = file.read_text()
    try:
        file.write_text(mutate(text))
        return first_failure()
    finally:
        file.write_text(text)


def chosen_faults():
    for path, old, new, what in chosen.CHOSEN:
        text = (SOURCE / path).read_text()
        if text.count(old) != 1:
            sys.exit(f"chosen.py: {path} must have once: {old}")
        yield what, path, lambda t, old=old, new=new: t.replace(old, new)


def random_faults(seed):
    """Random sites, the operators in turn."""
    by_operator = {name: [] for name in operators.OPERATORS}
    for file in sorted((SOURCE / "autograd/ops").glob("*.cpp")):
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
    parser.add_argument("kind", choices=["chosen", "random", "report"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--survivors", action="store_true")
    options = parser.parse_args()
    begin = time.monotonic()
    if options.fresh:
        shutil.rmtree(SOURCE, ignore_errors=True)
        RESULTS.unlink(missing_ok=True)
    results = load()
    if options.kind == "report":
        sys.exit(0 if report(results) else 1)
    prepare()
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
        found[what] = try_fault(path, mutate)
        print(f"{'does not compile' if found[what] is None else found[what] or 'SURVIVED'} <- "
              f"{what}", flush=True)
        save(results)
    report(results)


if __name__ == "__main__":
    os.nice(5)
    main()
