#!/usr/bin/env python3
"""Checks what `weft board` serves, and to whom: board.py WEFT

A finished run, one in progress and one to come are followed over HTTP.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

SMALL = ["--task", "copy", "--d-model", "16", "--layers", "1", "--heads", "2", "--ffn", "32", "--max-tokens", "256",
         "--log-every", "5", "--validate-every", "10"]


def check(ok, what):
    if not ok:
        raise AssertionError(what)


def equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def train(program, directory, steps, **process):
    return subprocess.Popen([program, "train", *SMALL, "--steps", str(steps), "--model-dir", directory],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **process)


class Board:
    """The program as it serves, until the end of the scope."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, "board", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", line)
        check(found, f"the board said {line!r}")
        self.port, self.url = int(found[1]), line.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, method="GET", host="localhost"):
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        for name in host if isinstance(host, list) else [host]:
            connection.putheader("Host", name)
        connection.endheaders()
        answer = connection.getresponse()
        self.headers = answer.headers
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def data(self, run, seen):
        """What is new of a run; `seen` goes on from it."""
        status, text = self.ask("/data?" + urllib.parse.urlencode({"run": run, **seen}))
        equal(status, 200, f"run {run}")
        answer = json.loads(text)
        for log in ("metrics", "samples"):
            seen[log] = answer[log]["cursor"]
        for file in ("film", "settings", "summary"):
            if answer[file]:
                seen[file] = answer[file]["tag"]
        return answer

    def end(self, by):
        """Exit status, and seconds until it."""
        began = time.monotonic()
        self.process.send_signal(by)
        return self.process.wait(20), time.monotonic() - began


def test_finished(board, folder):
    seen = {}
    answer = board.data(0, seen)
    with open(f"{folder}/done/metrics.jsonl", encoding="utf-8") as file:
        equal(answer["metrics"]["lines"], [json.loads(line) for line in file], "metrics")
    with open(f"{folder}/done/samples.jsonl", encoding="utf-8") as file:
        samples = [json.loads(line) for line in file]
    equal(answer["samples"]["lines"], samples, "samples")
    equal([line["step"] for line in samples], [0, 10, 20], "steps of samples")
    equal([len(samples[0]["source"]), len(samples[1]["translation"])], [8, 8], "sentences")
    with open(f"{folder}/done/film.jsonl", encoding="utf-8") as file:
        equal(answer["film"]["value"], [json.loads(line) for line in file], "film")
    with open(f"{folder}/done/summary.json", encoding="utf-8") as file:
        equal(answer["summary"]["value"], json.load(file), "summary")
    equal(answer["settings"]["value"]["d-model"], "16", "a setting")
    again = board.data(0, seen)
    equal([again[log]["lines"] for log in ("metrics", "samples")], [[], []], "nothing is new")
    equal([again[file] for file in ("film", "settings", "summary")], [None] * 3, "nothing has changed")


def test_in_progress(board, program, folder):
    """A run that begins while it is followed, and is killed."""
    seen, steps = {}, []
    equal(board.data(1, seen)["age"], None, "a run to come")
    run = train(program, f"{folder}/live", 1_000_000)
    try:
        until = time.monotonic() + 60
        while len(steps) < 6 and time.monotonic() < until:
            answer = board.data(1, seen)
            equal(answer["metrics"]["damaged"], 0, "damaged lines")
            check(not (steps and answer["metrics"]["anew"]), "lines come once")
            steps += [line["step"] for line in answer["metrics"]["lines"] if "loss" in line]
            time.sleep(0.05)
    finally:
        run.kill()
        run.wait()
    equal(steps[:6], [5, 10, 15, 20, 25, 30], "steps")


def test_refused(board):
    equal(board.ask("/")[0], 200, "the page")
    for name, value in {"Content-Security-Policy": "default-src 'none'; script-src 'nonce-page'",
                        "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}.items():
        check((board.headers[name] or "").startswith(value), f"{name}: {board.headers[name]}")
    port = board.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost:8000", "127.0.0.1"):
        equal(board.ask("/runs", host=host)[0], 200, f"host {host}")
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "", "0.0.0.0",
                 [], ["localhost", "evil.example"]):
        status, text = board.ask("/runs", host=host)
        equal([status, "done" in text], [403, False], f"host {host}")
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        equal(board.ask("/runs", method=method)[0], 405, method)
    for path in ("/../../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/done/run.toml", "/metrics.jsonl",
                 "/data", "/data?run=", "/data?run=-1", "/data?run=3", "/data?run=0x0", "/data?run=0/../1",
                 "/data?run=done", "/data?run=99999999999999999999"):
        status, text = board.ask(path)
        equal([status, "root:" in text, "lr" in text], [404, False, False], path)


def test_only_here(board):
    """Nothing listens at the machine's other addresses, of IPv4 or IPv6."""
    for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as other:
                other.settimeout(2)
                refused = other.connect_ex((address, board.port)) != 0
        except OSError:
            continue  # no such addresses here
        check(refused, f"{address} answers too")


def test_ends(program, folder):
    for by in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Board(program, f"{folder}/done", "--port", "0") as board:
            board.ask("/runs")
            idle = socket.create_connection(("127.0.0.1", board.port))  # holds nothing up
            status, seconds = board.end(by)
            idle.close()
            equal(status, 0, f"exit status after {by.name}")
            check(seconds < 8, f"{by.name}: {seconds:.1f} s to end")


def test_errors(program, folder, port):
    file = f"{folder}/done/run.toml"
    for arguments, text in [([], "model-dir"), ([file], f"board: {file} is no directory"),
                            ([folder, "--port", "65536"], "port: must be in [0, 65535]; got 65536"),
                            ([folder] * 33, "board: shows at most 32 runs; got 33"),
                            ([folder, "--port", str(port)], f"board: cannot listen at 127.0.0.1, port {port}: Address already in use")]:
        done = subprocess.run([program, "board", *arguments], capture_output=True, text=True, timeout=20, check=False)
        check(done.returncode != 0 and text in done.stderr, f"{arguments}: {done.returncode}, {done.stderr!r}")
        equal(done.stderr.count("\n"), 1, f"{arguments}: lines of {done.stderr!r}")


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        equal(train(program, f"{folder}/done", 20).wait(), 0, "training")
        with Board(program, "--model-dir", f"{folder}/done", f"{folder}/live", "--port", "0") as board:
            equal(json.loads(board.ask("/runs")[1]), {"runs": [f"{folder}/done", f"{folder}/live"]}, "runs")
            test_finished(board, folder)
            test_in_progress(board, program, folder)
            test_refused(board)
            test_only_here(board)
            test_errors(program, folder, board.port)
        test_ends(program, folder)
    print("board: passed")


if __name__ == "__main__":
    main()
