#!/usr/bin/env python3
"""How far a run computed with one instruction set is from the same run with another.

  instruction_sets.py WEFT [--scores]

One update from the same weights, with dropout, of each kind of model: the loss and all gradients
(Adam's first moment is a tenth of them). With --scores, also whole runs of two tasks. It fails if a loss or the gradients differ by more than rounding explains.
"""

import argparse
import array
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

# How weft, and the OpenBLAS below it, are told to compute; and what of the CPU that needs.
WAYS = {
    "baseline": ({"WEFT_CPU": "baseline"}, ""),
    "baseline, no AVX in OpenBLAS": ({"WEFT_CPU": "baseline", "OPENBLAS_CORETYPE": "Nehalem"}, ""),
    "avx2": ({"WEFT_CPU": "avx2"}, "avx2"),
    "avx512": ({"WEFT_CPU": "avx512"}, "avx512vl"),
}
MOST = 2e-6  # relative; float32 rounds to 6e-8, and a gradient is a sum of thousands of terms
UPDATE = ["--tokens", "word", "--dropout", "0.1", "--optimizer", "adam", "--lr", "1e-30", "--steps",
          "1", "--log-every", "1"]
MODELS = {
    "transformer": [],
    "transformer, pre-norm, gelu": ["--norm", "pre", "--activation", "gelu"],
    "transformer of width 72": ["--d-model", "72", "--heads", "3", "--ffn", "200"],
    "gru": ["--model", "gru"],
    "lstm": ["--model", "lstm"],
}
RUNS = {
    "sort": ["--task", "sort"],
    "german, 2 epochs": ["--task", "german", "--epochs", "2"],
}


def write_corpus(folder):
    """Pairs of up to 20 words out of 500; options that name them."""
    rng = random.Random(1)
    for name, pairs in ("pairs", 400), ("valid", 4):
        words = [[f"w{rng.randrange(500)}" for _ in range(rng.randrange(1, 20))] for _ in range(pairs)]
        text = "".join(f"{' '.join(w)}\t{' '.join(reversed(w))}\n" for w in words)
        (folder / name).write_text(text)
    return ["--data", str(folder / "pairs"), "--valid-data", str(folder / "valid")]


def first_moments(file):
    """Name -> numbers of what Adam keeps of the gradients."""
    data = file.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name.startswith("optimizer.") and "exp_avg" in name and "sq" not in name:
            first, last = entry["data_offsets"]
            found[name] = array.array("f", data[begin + first:begin + last])
    return found


def train(weft, way, args, folder):
    subprocess.run([weft, "train", *args, "--model-dir", str(folder)], capture_output=True, check=True,
                   env={**os.environ, **WAYS[way][0]})


def update(weft, way, args, folder):
    train(weft, way, [*args, *UPDATE], folder)
    first = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
    return first["loss"], first_moments(folder / "last.safetensors")


def relative(a, b):
    """|a - b| / |b| of all numbers together, and of the tensor that differs most."""
    def norms(x, y):
        return sum((p - q) ** 2 for p, q in zip(x, y)), sum(q * q for q in y)
    pairs = {name: norms(a[name], b[name]) for name in b}
    worst = max(math.sqrt(d / n) for d, n in pairs.values() if n > 0)
    difference, size = (sum(column) for column in zip(*pairs.values()))
    return math.sqrt(difference / size), worst


def available():
    """The ways that this machine knows: asked for another, weft would take the next lower."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return [way for way, (_, needs) in WAYS.items() if not needs or needs in flags]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weft")
    parser.add_argument("--scores", action="store_true")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        ways, corpus = available(), write_corpus(folder)
        print(f"{'one update':<28}{'against baseline':<30}{'loss':<9}{'gradients':<11}worst tensor")
        for model, args in MODELS.items():
            found = {w: update(options.weft, w, corpus + args, folder / f"{model} {w}") for w in ways}
            for way in ways[1:]:
                loss = abs(found[way][0] / found["baseline"][0] - 1)
                gradients, worst = relative(found[way][1], found["baseline"][1])
                print(f"{model:<28}{way:<30}{loss:<9.1e}{gradients:<11.1e}{worst:.1e}")
                failed |= loss > MOST or gradients > MOST
        for run, args in RUNS.items() if options.scores else ():
            for way in ways:
                train(options.weft, way, args, folder / f"{run} {way}")
                summary = json.loads((folder / f"{run} {way}" / "summary.json").read_text())
                print(f"{run:<28}{way:<30}exact {100 * summary['exact_match']:.2f} %, "
                      f"{summary['steps']} steps")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
