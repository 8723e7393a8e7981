#!/usr/bin/env python3
"""Trains one model on two ranks, one thread each, that average gradients at every update (H = 1) or
take local steps, on the same batches; prints what each has learned after as many tokens, and what
the model says of the exchange. About 10 minutes on two free cores.
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
RECIPE = ["--task", "german", "--d-model", "32", "--layers", "1", "--heads", "2", "--ffn", "128", "--steps", "1024",
          "--warmup", "200", "--validate-every", "256", "--log-every", "64", "--record-gradients", "0", "--threads", "1"]
# As fitted and measured in docs/scaling.md.
COSTS = Costs(efficiency=0.83, per_message=15e-6, per_byte=0)
JOBS = {"2.6M": (0.280, 0.0044), "60M": (1.646, 0.0804)}  # seconds of a part, of the optimizer
NETWORKS = {"100 Mbit/s": Network(100e6, 200e-6), "1 Gbit/s": Network(1e9, 100e-6)}


def train(weft, local_steps, model):
    start = ["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none"]
    if os.geteuid() == 0:
        start.append("--allow-run-as-root")
    command = [*start, weft, "train", "--model-dir", str(model), "--local-steps", str(local_steps), *RECIPE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)


def learned(model):
    """The loss of the last 64 updates and of the last validation, with its BLEU."""
    lines = [json.loads(line) for line in (model / "metrics.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line][-1]
    validation = [line for line in lines if "valid_loss" in line][-1]
    return [f"{training['loss']:.3f}", f"{validation['valid_loss']:.3f}", f"{validation['bleu']:.1f}"]


def modelled(local_steps):
    """MB that each of two ranks sends an update, and the share of its time that is no waiting."""
    cells = []
    for name, (compute, optimizer) in JOBS.items():
        job = Job(ranks=2, layers=transformer(name), compute=compute, optimizer=optimizer)
        job = replace(job, local_steps=0 if local_steps == 1 else local_steps)
        cells.append(f"{sent(job) / 1e6:.1f}")
        cells += [f"{100 * efficiency(job, network, COSTS):.0f} %" for network in NETWORKS.values()]
    return cells


def main():
    head = ["H", "training loss", "validation loss", "BLEU"]
    head += [f"{name}: {what}" for name in JOBS for what in ("MB sent an update", *NETWORKS)]
    print("| " + " | ".join(head) + " |\n|" + " --: |" * len(head))
    for local_steps in STEPS:
        with tempfile.TemporaryDirectory() as folder:
            train(str(Path(sys.argv[1]).resolve()), local_steps, Path(folder))
            print("| " + " | ".join([str(local_steps), *learned(Path(folder)), *modelled(local_steps)]) + " |")


if __name__ == "__main__":
    main()
