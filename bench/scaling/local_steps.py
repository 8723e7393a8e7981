#!/usr/bin/env python3
"""Trains one model on two ranks, one thread each, that average gradients at every update (H = 1) or
take local steps, on the same batches, at three learning rates; prints what each has learned after
as many tokens, and what the model says of the exchange. Five minutes on two cores.
usage: local_steps.py WEFT
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from model import Costs, Job, Network, efficiency, sent
from report import transformer

STEPS = (1, 8, 32)
RATES = (0.0007, 0.002, 0.005)
RECIPE = ["--task", "german", "--d-model", "32", "--layers", "1", "--heads", "2", "--ffn", "128", "--steps", "1024",
          "--max-tokens", "512", "--warmup", "200", "--validate-every", "1024", "--record-gradients", "0",
          "--threads", "1"]
# As fitted and measured in docs/scaling.md.
COSTS = Costs(efficiency=0.83, per_message=15e-6, per_byte=0)
JOBS = {"2.6M": (0.280, 0.0044), "60M": (1.646, 0.0804)}  # seconds of a part, of the optimizer
NETWORKS = {"100 Mbit/s": Network(100e6, 200e-6), "1 Gbit/s": Network(1e9, 100e-6)}


def train(weft, local_steps, rate, model):
    start = ["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none"]
    if os.geteuid() == 0:
        start.append("--allow-run-as-root")
    command = [*start, weft, "train", "--model-dir", str(model), "--local-steps", str(local_steps), "--lr", str(rate)]
    done = subprocess.run(command + RECIPE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)


def learned(model):
    """The loss of the last validation and its BLEU."""
    lines = [json.loads(line) for line in (model / "metrics.jsonl").read_text().splitlines()]
    validation = [line for line in lines if "valid_loss" in line][-1]
    return f"{validation['valid_loss']:.2f}, {validation['bleu']:.1f}"


def trained(weft, local_steps, rate):
    with tempfile.TemporaryDirectory() as folder:
        train(weft, local_steps, rate, Path(folder))
        return learned(Path(folder))


def modelled(local_steps):
    """MB that each of two ranks sends an update, and the share of its time that is no waiting."""
    cells = []
    for name, (compute, optimizer) in JOBS.items():
        job = Job(ranks=2, layers=transformer(name), compute=compute, optimizer=optimizer)
        job = replace(job, local_steps=0 if local_steps == 1 else local_steps)
        cells.append(f"{sent(job) / 1e6:.1f}")
        cells += [f"{100 * efficiency(job, network, COSTS):.0f} %" for network in NETWORKS.values()]
    return cells


def print_table(head, row):
    print("| H | " + " | ".join(head) + " |\n|" + " --: |" * (1 + len(head)))
    for local_steps in STEPS:
        print(f"| {local_steps} | " + " | ".join(row(local_steps)) + " |", flush=True)


def main():
    weft = str(Path(sys.argv[1]).resolve())
    print_table([f"`--lr {rate}`" for rate in RATES],
                lambda local_steps: [trained(weft, local_steps, rate) for rate in RATES])
    print()
    print_table([f"{name}: {what}" for name in JOBS for what in ("MB sent an update", *NETWORKS)], modelled)


if __name__ == "__main__":
    main()
