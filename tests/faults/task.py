"""A task so small that training takes some hundredths of a second, and what is right for it."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

STEPS = 6
PATIENCE = 60  # seconds; what takes longer hangs


def payload(file):
    """The tensors of a safetensors file; its header also holds the time that training took."""
    data = file.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


def models(folder):
    return {f.name: payload(f) for f in folder.rglob("*.safetensors")}


def names(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir())


def log(folder):
    """The lines of metrics.jsonl: what each is of, without times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(line["step"], "valid_loss" in line) for line in map(json.loads, lines)]


def weft_lines(stderr):
    return [line for line in stderr.splitlines() if line.startswith("weft: ")]


class Task:
    """A folder with a corpus and a trained model; use as a context."""

    def __init__(self, weft, library):
        self.weft = str(Path(weft).resolve())
        self.library = str(Path(library).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="weft-faults-"))
        self.count = 0
        pairs = [f"{n}\t{n + 1}" for n in range(100, 999, 7)]
        (self.folder / "pairs.tsv").write_text("\n".join(pairs[:100]) + "\n")
        (self.folder / "valid.tsv").write_text("\n".join(pairs[100:108]) + "\n")
        for name in ("pairs.tsv", "valid.tsv"):
            packed = gzip.compress((self.folder / name).read_bytes())
            (self.folder / f"{name}.gz").write_bytes(packed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def fresh(self):
        """A folder of its own."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return folder

    def train(self, model, *more, steps=STEPS):
        files = ["--data", str(self.folder / "pairs.tsv"), "--valid-data", str(self.folder / "valid.tsv")]
        return ["train", *files, "--model-dir", str(model), "--tokens", "char", "--d-model", "8",
                "--layers", "1", "--heads", "1", "--ffn", "8", "--dropout", "0.1", "--max-tokens",
                "64", "--threads", "1", "--validate-every", "3", "--save-every", "2",
                "--log-every", "2", "--patience", "1000", "--steps", str(steps), *more]

    def go_on(self, model, *more, steps=STEPS):
        """The call that goes on where a run stopped, whatever is there by now."""
        if any(model.rglob("*.safetensors")):
            return ["train", "--model-dir", str(model), "--resume", "--threads", "1", "--steps",
                    str(steps), *more]
        return self.train(model, "--overwrite", *more, steps=steps)

    def environment(self, fault=None, fault_log=None):
        changed = {"WEFT_FAULT": fault, "WEFT_FAULT_LOG": fault_log}
        if fault or fault_log:
            changed["LD_PRELOAD"] = self.library
        return {**os.environ, **{k: str(v) for k, v in changed.items() if v}}

    def call(self, args, cwd=None, stdin="", fault=None, fault_log=None, **more):
        """The finished process; None in place of its status if it hung."""
        try:
            return subprocess.run([self.weft, *args], cwd=cwd or self.folder, input=stdin, text=True,
                                  capture_output=True, timeout=PATIENCE, check=False,
                                  env=self.environment(fault, fault_log), **more)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(args, None, "", "")

    def start(self, args, **more):
        return subprocess.Popen([self.weft, *args], cwd=self.folder, text=True,
                                stdin=subprocess.DEVNULL,
                                **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more})

    def must(self, args, **more):
        done = self.call(args, **more)
        if done.returncode != 0:
            raise SystemExit(f"FAILED: {' '.join(args)}: {done.stderr}")
        return done

    def unbroken(self, steps=STEPS):
        """A model directory of a run that nothing disturbed."""
        folder = self.folder / f"unbroken{steps}"
        if not folder.exists():
            self.must(self.train(folder, steps=steps))
        return folder

    def differences(self, folder, steps=STEPS, right=None):
        """How a model directory differs from that of a run that nothing disturbed."""
        right = right or self.unbroken(steps)
        found = []
        if names(folder) != names(right):
            found.append(f"files {names(folder)}, expected {names(right)}")
        if models(folder) != models(right):
            found.append("other weights")
        if log(folder) != log(right):
            found.append(f"log of {log(folder)}, expected {log(right)}")
        return found
