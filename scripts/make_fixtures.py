#!/usr/bin/env python3
"""Writes PyTorch's reference numbers as small safetensors files.

usage: make_fixtures.py FOLDER [GROUP ...]     (PyTorch 2.6; the repository keeps tests/fixtures)

The groups are the modules of scripts/fixtures; without any, all are made. tests/fixtures/README.md
describes the files.
"""

import importlib
import pathlib
import sys
import warnings

import torch

GROUPS = ["training", "optimizers", "newer_optimizers", "attention", "layers", "recurrent",
          "small_layers", "ops", "files", "trained", "saved_models"]


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(GROUPS):
        sys.exit(f"{__doc__}\ngroups: {' '.join(GROUPS)}")
    if not torch.__version__.startswith("2.6"):
        sys.exit(f"make_fixtures: PyTorch must be 2.6; got {torch.__version__}")
    warnings.simplefilter("ignore")  # mask types that PyTorch discourages are among the cases
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for group in sys.argv[2:] or GROUPS:
        importlib.import_module(f"fixtures.{group}").make(folder)


if __name__ == "__main__":
    main()
