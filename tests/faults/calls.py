"""Lets every call that a command makes fail, in every way, one at a time."""

import hashlib
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from task import PATIENCE, STEPS, names, weft_lines

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

    def call(self, args, cwd, **fault):
        return self.task.call(args, cwd=cwd, **fault)

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

    def differences(self, cwd, _):
        return self.task.differences(cwd / "m")


class Filter:
    """A command that leaves the model as it is, and writes to standard output or a file."""

    def __init__(self, task, args, stdin=""):
        self.task = task
        self.stdin = stdin
        self.call_args = args
        cwd = task.fresh()
        done = self.call(args, cwd)
        assert done.returncode == 0, done.stderr
        self.right = done.stdout
        self.files = {name: (cwd / name).read_bytes() for name in names(cwd)}
        self.allowed = set(self.files)

    def call(self, args, cwd, **fault):
        return self.task.call(args, cwd=cwd, stdin=self.stdin, **fault)

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


def answer(port, path):
    """Of the board: an answer that says that something cannot be read just now is asked for again,
    and so is one that does not come, as by a page that is open."""
    text = ""
    for _ in range(3):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            got = connection.getresponse()
            text = f"{got.status} {got.read().decode()}"
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
        if '"note"' not in text and not text.startswith("500"):
            break
    text = re.sub('"age":[0-9.]+', '"age":0', text)
    return text if path.startswith("/data") or not text else hashlib.sha256(text.encode()).hexdigest()


class Board(Filter):
    """A server, which is asked for all it has and then ended. Its output is what it answers."""

    def call(self, args, cwd, fault=None, fault_log=None):
        process = subprocess.Popen([self.task.weft, *args], cwd=cwd, text=True,
                                   env=self.task.environment(fault, fault_log),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        hangs = threading.Timer(PATIENCE, process.kill)
        hangs.start()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
        answers = found and [answer(int(found[1]), path) for path in ("/", "/runs", "/data?run=0")]
        if answers and "" in answers:  # it is about to say why
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        process.terminate()
        stderr = process.communicate()[1]
        is_late = not hangs.is_alive()
        hangs.cancel()
        status = None if is_late else process.returncode
        return subprocess.CompletedProcess(args, status, json.dumps(answers), stderr)


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
    if name == "export":
        return Filter(task, ["export", *model, "--onnx", "onnx", "--torch", "torch"])
    if name == "board":
        return Board(task, ["board", *model, "--port", "0"])
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
    done = what.call(what.args(cwd), cwd, fault=fault, fault_log=fault_log)
    hit = fault_log.read_text().strip() if fault_log.exists() else ""
    killed = kind == "KILL" and hit != ""
    problems = judge(what, cwd, done, killed, hit, kind)
    if done.returncode != 0 and not problems:
        again = what.call(what.again(cwd), cwd)
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
    done = what.call(what.args(cwd), cwd, fault_log=every_call)
    assert done.returncode == 0, done.stderr
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
