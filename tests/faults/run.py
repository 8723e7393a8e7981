#!/usr/bin/env python3
"""What the program does when the system fails it: calls that fail, kills, signals, closed streams.

  run.py WEFT LIBRARY [CHECK...] [--seconds S] [--seed N]

WEFT is the program, LIBRARY the built fail_calls.cpp. Without --seconds everything is tried, which
takes minutes; with it, each check tries what it has time for, drawn by the seed.
"""

import argparse
import sys

from calls import check_calls
from processes import check_kill, check_memory, check_race, check_replace
from interrupts import check_latency, check_second, check_signals, check_streams
from task import Task

CHECKS = {
    **{name: check_calls for name in ("train", "gzip", "resume", "overwrite", "run", "score", "show", "lab",
                                      "export", "board")},
    "kill": check_kill,
    "replace": check_replace,
    "race": check_race,
    "signals": check_signals,
    "streams": check_streams,
    "latency": check_latency,
    "second": check_second,
    "memory": check_memory,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weft")
    parser.add_argument("library")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    problems = []
    for name in options.checks or CHECKS:
        if name not in CHECKS:
            parser.error(f"CHECK must be one of {', '.join(CHECKS)}; got {name}")
        with Task(options.weft, options.library) as task:
            problems += CHECKS[name](task, name, options.seconds, options.seed)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
