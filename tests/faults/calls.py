"""Lets every call that a command makes fail, in every way, one at a time."""

import os
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from task import STEPS, names, weft_lines

KINDS = ("ENOSPC", "EIO", "EACCES", "EINTR", "SHORT", "KILL", "FULL")  # FULL: ENOSPC from here on


class Train:
    """Into a directory of its own, "gzip" from packed files; or, as "resume" and "overwrite" say,
    where there is a model of half the steps."""

    def __init__(self, task, name):
        self.task = task
        self.name = name
        self.half = task.folder / "half"
        task.must(task.train(self.half, steps=STEPS // 2))
        files = names(task.unbroken())
        self.allowed = {"m/" + f for f in files}
        if name == "overwrite":  # a move that failed is finished by the next run
            self.allowed |= {"m/new-run/" + f for f in files}

    def prepare(self, cwd):
        if self.name in ("resume", "overwrite"):
            shutil.copytree(self.half, cwd / "m")

    def args(self, cwd):
        if self.name == "resume":
            return self.task.go_on(cwd / "m")
        if self.name == "gzip":
            packed = {part: str(self.task.folder / f"{part}.tsv.gz") for part in ("pairs", "valid")}
            return self.task.train(cwd / "m", "--data", packed["pairs"], "--valid-data", packed["valid"])
        return self.task.train(cwd / "m", *(["--overwrite"] if self.name == "overwrite" else []))

    def again(self, cwd):
        """Goes on where the run has a checkpoint; what replaces a model may have none yet."""
        begun = self.name != "overwrite" or (cwd / "m/new-run/last.safetensors").exists()
        return self.task.go_on(cwd / "m") if begun else self.args(cwd)

    stdin = ""

    def differences(self, cwd, _):
        return self.task.differences(cwd / "m")


class Filter:
    """A command that leaves the model as it is, and writes to standard output or a file."""

    def __init__(self, task, args, stdin=""):
        self.task = task
        self.stdin = stdin
        self.call_args = args
        cwd = task.fresh()
        self.right = task.must(args, cwd=cwd, stdin=stdin).stdout
        self.files = {name: (cwd / name).read_bytes() for name in names(cwd)}
        self.allowed = set(self.files)

    def prepare(self, cwd):
        pass

    def args(self, _):
        return self.call_args

    again = args

    def differences(self, cwd, done):
        if weft_lines(done.stderr):  # a warning: it did without what it could not read
            return []
        found = []
        if done.stdout != self.right:
            found.append(f"printed {done.stdout!r}, expected {self.right!r}")
        if {name: (cwd / name).read_bytes() for name in names(cwd)} != self.files:
            found.append(f"wrote other files than {sorted(self.files)}")
        return found


def command(task, name):
    if name in ("train", "gzip", "resume", "overwrite"):
        return Train(task, name)
    model = ["--model-dir", str(task.unbroken())]
    (task.folder / "hypothesis").write_text("a small dog\nthe cat\n")
    (task.folder / "reference").write_text("a small dog\nthe cats\n")
    if name == "run":
        return Filter(task, ["run", *model, "--threads", "1"], "200\n\n311\n")
    if name == "score":
        files = [str(task.folder / "hypothesis"), "--reference", str(task.folder / "reference")]
        return Filter(task, ["score", "--hypothesis", *files])
    if name == "show":
        return Filter(task, ["show", *model, "--sentence", "211", "--svg", "picture.svg"])
    return Filter(task, ["lab", *model, "--sentence", "211", "--over", "1", "--format", "json",
                         "--out", "report.json", "--threads", "1"])


def judge(what, cwd, done, killed, hit, kind):
    """What is wrong with how the command took the fault."""
    status = done.returncode
    if status is None:
        return ["it hangs"]
    if killed:
        return [] if status == -9 else [f"status {status} of what was killed"]
    if status < 0:
        return [f"it died of signal {-status}"]
    if status == 0:
        return what.differences(cwd, done)
    found = []
    lines = weft_lines(done.stderr)
    is_silenced = hit in ("fwrite", "fflush") or kind == "FULL"
    if status != 1:
        found.append(f"status {status}")
    if len(lines) != 1 and not (is_silenced and not lines):
        found.append(f"expected one line of error; got {done.stderr!r}")
    elif lines and done.stderr.splitlines()[-1] != lines[0]:
        found.append(f"the error is not the last line; got {done.stderr!r}")
    if not set(names(cwd)) <= what.allowed:
        found.append(f"left {sorted(set(names(cwd)) - what.allowed)}")
    return found


def attempt(task, what, number, kind):
    """One fault, then the command again: ('survived' or how it ended, its problems)."""
    cwd = task.fresh()
    what.prepare(cwd)
    fault = f"{number}+ ENOSPC" if kind == "FULL" else f"{number} {kind}"
    fault_log = task.folder / f"log-{cwd.name}"
    done = task.call(what.args(cwd), cwd=cwd, stdin=what.stdin, fault=fault, fault_log=fault_log)
    hit = fault_log.read_text().strip() if fault_log.exists() else ""
    killed = kind == "KILL" and hit != ""
    problems = judge(what, cwd, done, killed, hit, kind)
    if done.returncode != 0 and not problems:
        again = task.call(what.again(cwd), cwd=cwd, stdin=what.stdin)
        if again.returncode != 0:
            problems = [f"cannot be done again: {again.stderr!r}"]
        else:
            problems = [f"done again: {d}" for d in what.differences(cwd, again)]
    shutil.rmtree(cwd)
    ended = "killed" if killed else "survived" if done.returncode == 0 else "error"
    return ended if hit else "not hit", [f"{kind} at {hit}, call {number}: {p}" for p in problems]


def worth_trying(calls):
    """The numbers of calls, from 1, but of a row of equal ones only the first two, one in the middle
    and the last: a checkpoint is a write for each tensor."""
    numbers, begin = [], 0
    for end in range(1, len(calls) + 1):
        if end < len(calls) and calls[end] == calls[begin]:
            continue
        numbers += sorted({begin, min(begin + 1, end - 1), (begin + end) // 2, end - 1})
        begin = end
    return [n + 1 for n in numbers]


def check_calls(task, name, seconds, seed):
    what = command(task, name)
    cwd = task.fresh()
    what.prepare(cwd)
    every_call = task.folder / "calls"
    task.must(what.args(cwd), cwd=cwd, stdin=what.stdin, fault_log=every_call)
    calls = every_call.read_text().split()
    cases = [(number, kind) for number in worth_trying(calls) for kind in KINDS]
    if seconds:
        random.Random(seed).shuffle(cases)
    end = time.monotonic() + (seconds or 1e9)
    tally, problems = {}, []

    def one(case):
        if time.monotonic() > end:
            return
        ended, found = attempt(task, what, *case)
        tally[ended] = tally.get(ended, 0) + 1
        problems.extend(f"{name}: {p}" for p in found)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(one, cases))
    tried = sum(tally.values())
    print(f"{name:<9} {len(calls)} calls, {len(KINDS)} kinds of fault: {tried} of {len(cases)} tried: "
          + ", ".join(f"{n} {ended}" for ended, n in sorted(tally.items())))
    return problems
