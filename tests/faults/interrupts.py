"""Signals in every phase of a run, and standard streams that are closed or full."""

import os
import random
import resource
import signal
import subprocess
import time

from task import names, weft_lines

MOST_SECONDS = 2  # from the signal to the end


def log_of(model):
    file = model / "metrics.jsonl"
    return file.read_text() if file.exists() else ""


def wait_until(condition, process):
    end = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def stop(process, number):
    """Sends a signal; how long the process took to end."""
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=60)
    return time.monotonic() - began


def check_signals(task, name, seconds, seed):
    """Each signal, at any moment of a run: saved, a status that says so, and --resume ends with the
    same model."""
    steps, rng, problems, sent = 300, random.Random(seed), [], 0
    task.unbroken(steps)
    end = time.monotonic() + (seconds or 60)
    asking = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"]
    for which in asking + rng.choices(asking, k=1000):
        if time.monotonic() > end and sent >= len(asking):
            break
        number = getattr(signal, which)
        model = task.fresh() / "m"
        process = task.start(task.train(model, steps=steps), stderr=subprocess.PIPE)
        wait_until(lambda: '"step":4,' in log_of(model), process)
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(number)
        stderr = process.communicate(timeout=60)[1]
        sent += process.returncode == 128 + number
        if process.returncode not in (0, 128 + number):
            problems.append(f"{which}: status {process.returncode}: {stderr!r}")
        elif process.returncode != 0 and f"interrupted by {which}" not in stderr:
            problems.append(f"{which}: says {stderr!r}")
        task.must(task.go_on(model, steps=steps))
        problems += [f"{which}: {d}" for d in task.differences(model, steps)]
    problems += ignored_signals(task)
    print(f"{name:<9} {sent} runs were interrupted and went on")
    return [f"{name}: {p}" for p in problems]


def ignored_signals(task):
    """nohup: what is ignored stays ignored. And the same request twice is one request."""
    model = task.fresh() / "m"
    process = task.start(task.train(model, steps=10**9),
                         preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_until(lambda: '"step":4,' in log_of(model), process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    if process.poll() is not None:
        return [f"an ignored SIGHUP ended it with {process.returncode}"]
    for _ in range(3):
        process.terminate()
    process.wait(60)
    return [] if process.returncode == 143 else [f"status {process.returncode} of SIGTERM, thrice"]


def full_pipe():
    """Its ends; whoever writes into it waits."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def blocked(task, streams):
    """A run that waits for a reader who does not read ends at a signal, saved."""
    model = task.fresh() / "m"
    ends = full_pipe()
    process = task.start(task.train(model), **{stream: ends[1] for stream in streams})
    last = "summary.json" if streams == ["stdout"] else "run.toml"  # before it must wait
    wait_until((model / last).exists, process)
    time.sleep(0.5)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for end in ends:
        os.close(end)
    found = [] if process.returncode == 143 else [f"status {process.returncode} of SIGTERM"]
    task.must(task.go_on(model))
    return found + task.differences(model)


def check_streams(task, name, *_):
    """Closed, broken and full streams lose no run."""
    problems = []

    def attempt(what, statuses, shell, whole=True, **more):
        model = task.fresh() / "m"
        command = " ".join(["exec", task.weft, *task.train(model)])
        done = subprocess.run(["bash", "-c", f"{command} {shell}"], cwd=task.folder, text=True,
                              capture_output=True, timeout=60, check=False, **more)
        found = task.differences(model) if whole else []
        if done.returncode not in statuses:
            found.append(f"status {done.returncode}: {done.stderr!r}")
        problems.extend(f"{what}: {f}" for f in found)
        return done

    attempt("no standard error", [0], "2>&-")
    attempt("a full standard error", [0], "2>/dev/full")
    attempt("nobody reads standard error", [0], "2> >(exec true)")
    attempt("no standard output", [1], ">&-")
    attempt("no stream at all", [1], "<&- >&- 2>&-")
    attempt("a full standard output", [1], ">/dev/full")
    for _ in range(10):  # the reader may not be gone yet
        attempt("nobody reads standard output", [0, -13], "> >(exec true)")
    for streams in (["stdout"], ["stderr"], ["stdout", "stderr"]):
        problems += [f"nobody reads {' and '.join(streams)}, a signal: {p}"
                     for p in blocked(task, streams)]
    small = attempt("a file that may not grow", [1], "", whole=False, preexec_fn=lambda:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)))
    if len(weft_lines(small.stderr)) != 1 or "File too large" not in small.stderr:
        problems.append(f"a file that may not grow: says {small.stderr!r}")
    print(f"{name:<9} closed, broken and full")
    return [f"{name}: {p}" for p in problems]


def phases(task):
    """Runs that spend nearly all of their time in one phase: (phase, arguments, what is printed when
    it begins)."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(5000)]

    def corpus(file, lines, length):
        text = [" ".join(rng.choices(words, k=length)) for _ in range(lines)]
        (task.folder / file).write_text("".join(f"{t}\t{t}\n" for t in text))
        return str(task.folder / file)

    large, small = corpus("large", 60000, 8), corpus("small", 2000, 10)
    many = corpus("many", 4000, 20)
    model = ["--layers", "2", "--d-model", "256", "--heads", "4", "--ffn", "512"]
    given = ["--tokens", "word", "--save-minutes", "0"]
    return [
        ("reading, vocabulary", ["--data", large, "--tokens", "subword"], ""),
        ("training", ["--data", small, *given, *model, "--accumulate", "1000"], "ready after"),
        ("validation", ["--data", small, "--valid-data", many, *given, *model, "--steps", "1",
                        "--max-tokens", "64"], "ready after"),
        ("saving", ["--data", small, *given, *model, "--save-every", "1", "--max-tokens", "64"],
         "ready after"),
        ("judging", ["--data", small, "--test-data", many, *given, *model, "--steps", "1",
                     "--valid-data", str(task.folder / "valid.tsv"), "--max-tokens", "64"],
         "stopped at step"),
    ]


def check_second(task, name, *_):
    """A disk that does not answer: the first SIGTERM waits for it, the second ends the run at once,
    and --resume ends with the same model."""
    log = task.folder / "calls"
    task.must(task.train(task.fresh() / "m"), fault_log=log)
    calls, problems, worst, waited = log.read_text().split(), [], 0, 0
    for which in ("write", "fsync", "flock", "rename"):
        places = [n for n, call in enumerate(calls, 1) if call == which]
        model, hit = task.fresh() / "m", task.folder / f"slow-{which}"
        process = task.start(task.train(model), env=task.environment(f"{places[-len(places) // 3]} SLOW", hit))
        wait_until(hit.exists, process)
        process.terminate()
        time.sleep(0.5)
        waited += process.poll() is None
        worst = max(worst, stop(process, signal.SIGTERM))
        if process.returncode != -signal.SIGTERM:
            problems.append(f"{which}: status {process.returncode}")
        task.must(task.go_on(model))
        problems += [f"{which}: {d}" for d in task.differences(model)]
    print(f"{name:<9} {waited} slow calls waited for at SIGTERM, and left within {worst:.3f} s at a second one")
    if worst > MOST_SECONDS:
        problems.append(f"{worst:.1f} s from the second SIGTERM to the end")
    return [f"{name}: {p}" for p in problems + ([] if waited else ["no call was slow"])]


def read_until(process, text):
    """Reads standard error up to a line with this text."""
    for line in process.stderr:
        if text in line:
            return


def check_latency(task, name, seconds, seed):
    """How long a run takes to end after SIGTERM, in every phase."""
    rng, problems = random.Random(seed), []
    for phase, args, begins in phases(task):
        worst, statuses = 0, set()
        for _ in range(1 if seconds else 10):
            model = task.fresh() / "m"
            process = task.start(["train", *args, "--model-dir", str(model)], stderr=subprocess.PIPE)
            if begins:
                read_until(process, begins)
            time.sleep(rng.uniform(0.05, 1))
            worst = max(worst, stop(process, signal.SIGTERM))
            statuses.add(process.returncode)
            if begins and not (model / "last.safetensors").exists():
                problems.append(f"{phase}: nothing is saved")
            if model.exists() and any(n.endswith(".tmp") for n in names(model)):
                problems.append(f"{phase}: left {names(model)}")
        print(f"{name:<9} {phase:<20} {worst:.3f} s, status {sorted(statuses)}")
        if not statuses <= {143, -15}:
            problems.append(f"{phase}: status {statuses}")
        if worst > MOST_SECONDS:
            problems.append(f"{phase}: {worst:.1f} s from SIGTERM to the end")
    return [f"{name}: {p}" for p in problems]
