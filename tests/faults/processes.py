"""Runs that are killed at any moment, that meet in one directory, and that go on for long."""

import random
import re
import subprocess
import time
from pathlib import Path

from task import weft_lines


def check_kill(task, name, seconds, seed):
    """kill -9 at random moments until the run is finished: the same model as of one that was left
    alone."""
    steps, rng, problems, kills, rounds = 60, random.Random(seed), [], 0, 0
    began = time.monotonic()
    task.unbroken(steps)
    duration = time.monotonic() - began
    end = time.monotonic() + (seconds or 120)
    while (rounds == 0 or time.monotonic() < end) and not problems:
        rounds += 1
        model = task.fresh() / "m"
        while True:
            process = task.start(task.go_on(model, steps=steps))
            try:
                process.wait(rng.uniform(0, duration))
            except subprocess.TimeoutExpired:
                process.kill()
            status = process.wait()
            kills += status == -9
            if status == 0:
                break
            if status != -9:
                problems.append(f"{name}: status {status} after {kills} kills")
                break
        problems += [f"{name}: {d}" for d in task.differences(model, steps)]
    print(f"{name:<9} {rounds} runs, killed {kills} times")
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
    time.sleep(seconds / 4)
    first = resident(process.pid)
    time.sleep(seconds * 3 / 4)
    last = resident(process.pid)
    process.terminate()
    process.wait(60)
    steps = max(int(s) for s in re.findall(r'"step":(\d+)', (model / "metrics.jsonl").read_text()))
    print(f"{name:<9} {first} kB after a quarter of {steps} updates, {last} kB at the end")
    # A leak of 100 bytes an update would be seen in a minute.
    return [f"{name}: grew by {last - first} kB"] if last - first > 512 else []
