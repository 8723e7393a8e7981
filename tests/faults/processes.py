"""Runs that are killed at any moment, that meet in one directory, and that go on for long."""

import random
import re
import shutil
import subprocess
import time
from pathlib import Path

from task import weft_lines


KILLS = 100  # without a limit of time


def killed_within(task, args, seconds, **more):
    """The status of a run that is killed if it does not end before."""
    process = task.start(args, **more)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait()


def check_kill(task, name, seconds, seed):
    """kill -9 at random moments until the run is finished: the same model as of one that was left
    alone."""
    steps, rng, problems, kills, rounds = 60, random.Random(seed), [], 0, 0
    began = time.monotonic()
    task.unbroken(steps)
    duration = time.monotonic() - began
    end = time.monotonic() + (seconds or 0)
    while (rounds == 0 or time.monotonic() < end or not seconds and kills < KILLS) and not problems:
        rounds += 1
        model = task.fresh() / "m"
        while True:
            status = killed_within(task, task.go_on(model, steps=steps), rng.uniform(0, duration))
            kills += status == -9
            if status == 0:
                break
            if status != -9:
                problems.append(f"{name}: status {status} after {kills} kills")
                break
        problems += [f"{name}: {d}" for d in task.differences(model, steps)]
    print(f"{name:<9} {rounds} runs, killed {kills} times")
    return problems


def check_replace(task, name, seconds, seed):
    """kill -9 at random moments of a run that replaces a model: there is a model that translates,
    the old one or the new one, but in the midst of their exchange, which the next run finishes;
    --resume goes on with the new run or says that it cannot; in the end there is the new model."""
    steps, late, rng = 60, ["--validate-every", "30"], random.Random(seed)
    problems, kills, ended = [], 0, {"went on": 0, "began anew": 0}
    old, right = task.folder / "old", task.folder / "right"
    task.must(task.train(old, "--seed", "2"))
    began = time.monotonic()
    task.must(task.train(right, *late, steps=steps))
    duration = time.monotonic() - began
    end = time.monotonic() + (seconds or 0)
    while (kills == 0 or time.monotonic() < end or not seconds and kills < KILLS) and not problems:
        model = task.fresh() / "m"
        shutil.copytree(old, model)
        replace = task.train(model, "--overwrite", *late, steps=steps)
        kills += killed_within(task, replace, rng.uniform(0, duration)) == -9
        translated = task.call(["run", "--model-dir", str(model), "--threads", "1"], stdin="200\n")
        if translated.returncode != 0 and "do not belong together" not in translated.stderr:
            problems.append(f"{name}: {translated.stderr!r}")
        begun = any(f.suffix != ".tmp" for f in (model / "new-run").glob("*"))
        begun = begun or "seed = 1\n" in (model / "run.toml").read_text()
        again = task.call(task.go_on(model, steps=steps) if begun else replace)
        is_anew = not begun or "begin it anew with --overwrite" in again.stderr
        ended["began anew" if is_anew else "went on"] += 1
        if begun and is_anew:
            again = task.call(replace)
        if again.returncode != 0:
            problems.append(f"{name}: status {again.returncode}: {again.stderr!r}")
        problems += [f"{name}: {d}" for d in task.differences(model, right=right)]
    print(f"{name:<9} killed {kills} times: " + ", ".join(f"{n} {how}" for how, n in ended.items()))
    return problems


def check_race(task, name, seconds, _):
    """Two runs at once into one directory: each ends well or with an error, and what is left is a
    model or the way to one."""
    end, rounds, problems = time.monotonic() + (seconds or 60), 0, []
    ended = {0: 0, 1: 0}
    while (rounds == 0 or time.monotonic() < end) and not problems:
        rounds += 1
        model = task.fresh() / "m"
        both = [task.start(task.train(model), stderr=subprocess.PIPE) for _ in range(2)]
        for process in both:
            stderr = process.communicate(timeout=60)[1]
            status = process.returncode
            ended[status] = ended.get(status, 0) + 1
            if status not in (0, 1) or (status == 1 and len(weft_lines(stderr)) != 1):
                problems.append(f"{name}: status {status}: {stderr!r}")
        task.must(task.train(model, "--overwrite"))
        problems += [f"{name}: {d}" for d in task.differences(model)]
    print(f"{name:<9} {rounds} pairs of runs: {ended[0]} ended well, {ended[1]} with an error")
    return problems


def resident(pid):
    """Memory of a process in kB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def check_memory(task, name, seconds, _):
    """Memory over thousands of updates, with validations and saves among them, stays flat."""
    model = task.fresh() / "m"
    process = task.start(task.train(model, "--validate-every", "100", steps=10**9))
    seconds = seconds or 60
    curve = []
    for _ in range(8):
        time.sleep(seconds / 8)
        curve.append(resident(process.pid))
    process.terminate()
    process.wait(60)
    log = (model / "metrics.jsonl").read_text()
    steps = max(int(s) for s in re.findall(r'"step":(\d+)', log))
    print(f"{name:<9} {steps} updates, {log.count('valid_loss')} validations, {steps // 2} saves: "
          f"{', '.join(map(str, curve))} kB")
    # A leak of 100 bytes an update would be seen in a minute.
    grown = curve[-1] - curve[1]
    return [f"{name}: grew by {grown} kB"] if grown > 512 else []
