#!/usr/bin/env python3
"""Trains one model on 4, then 2, then 3 ranks, and the same on one process that nothing stops; says
how their logs and weights differ, and draws both losses into docs/elastic.svg.
usage: elastic.py WEFT
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import svg

DOCS = Path(__file__).parent.parent.parent / "docs"
STAGES = [(4, 200), (2, 400), (3, 600)]  # ranks, until which update
LAST = STAGES[-1][1]
RECIPE = ["--task", "dates", "--d-model", "32", "--layers", "1", "--heads", "2", "--ffn", "64", "--max-tokens", "256",
          "--dropout", "0.1", "--accumulate", "12", "--warmup", "100", "--log-every", "20", "--validate-every", "100",
          "--patience", "1000", "--threads", "1"]


def train(weft, ranks, model, *arguments):
    start = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
    if os.geteuid() == 0:
        start.append("--allow-run-as-root")
    command = [weft, "train", "--model-dir", str(model), *arguments]
    done = subprocess.run((start if ranks > 1 else []) + command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)


def losses(model):
    """{update: loss} of training."""
    lines = map(json.loads, (model / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def tensors(file):
    data = file.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


def main():
    weft = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        alone, elastic = Path(folder) / "alone", Path(folder) / "elastic"
        train(weft, 1, alone, *RECIPE, "--steps", str(LAST))
        for number, (ranks, steps) in enumerate(STAGES):
            train(weft, ranks, elastic, *(["--resume"] if number else RECIPE), "--steps", str(steps))
        expected, got = losses(alone), losses(elastic)
        same = sum(expected.get(step) == loss for step, loss in got.items())
        weights = all(tensors(alone / f) == tensors(elastic / f) for f in ("last.safetensors", "best.safetensors"))
    series, before = {"one process, not interrupted": sorted(expected.items())}, 0
    for ranks, steps in STAGES:
        series[f"{ranks} ranks, updates {before + 1} to {steps}"] = [
            point for point in sorted(got.items()) if before < point[0] <= steps]
        before = steps
    (DOCS / "elastic.svg").write_text(svg.lines(
        "A run that goes on with other numbers of ranks", "updates", "training loss, nats for each token", series,
        list(range(0, LAST + 1, 100)), list(range(math.ceil(max(expected.values())) + 1)), log_x=False, points=list(series)[1:]))
    print(f"{same} of {len(expected)} losses are equal to the last digit; weights are {'equal' if weights else 'OTHERS'}")
    sys.exit(0 if weights and same == len(expected) == len(got) else 1)


if __name__ == "__main__":
    main()
