#!/usr/bin/env python3
"""Damages a small model directory in many ways, runs the program on it, and counts what happens.

usage: directories.py PROGRAM [--count N] [--seed S] [--damage NAME] [--file NAME] [--verbose]

Of N damaged directories each is tried with `run`, `show` and `train --resume`:

  refused   an error of one short line
  warned    other results, and a warning that says what is damaged
  the same  the results of the directory as it was
  SILENT    other results, and nobody was told
  CRASH     killed by a signal
  HANG      no end within 30 seconds
  RAMBLE    an error of several lines, or of more than 4,000 bytes

It fails if any of the last four occurs.
"""
import argparse
import collections
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 30
SOURCES = "a b c\nc a\nd e a b\nb b\ne\n"
SMALL = ["--d-model", "8", "--layers", "1", "--heads", "2", "--ffn", "8", "--max-tokens", "64", "--tokens", "word",
         "--dropout", "0.1", "--warmup", "5", "--validate-every", "5", "--log-every", "4", "--threads", "1"]
FILES = ["config.json", "vocabulary.json", "run.toml", "best.safetensors", "last.safetensors", "metrics.jsonl", "film.jsonl",
         "samples.jsonl", "summary.json"]


def weft(program, *arguments, text=""):
    return subprocess.run([program, *arguments], input=text.encode(), capture_output=True, timeout=SECONDS)


def train(program, directory, *arguments):
    done = weft(program, "train", "--model-dir", str(directory), *arguments)
    assert done.returncode == 0, done.stderr.decode()


def tensors(path):
    """The elements of a safetensors file; its metadata hold the time."""
    data = path.read_bytes()
    return data[8 + struct.unpack("<Q", data[:8])[0]:]


# --- Damage: each takes (directory, file, another run's directory, random) ---

def rewrite(change):
    def damage(directory, name, other, rng):
        path = directory / name
        data = bytearray(path.read_bytes())
        path.write_bytes(bytes(change(data, rng)))
    return damage


def place(data, rng):
    return rng.randrange(max(1, len(data)))


def flip_bit(data, rng):
    data[place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def flip_weight(data, rng):
    """A bit of a checkpoint's tensors."""
    if data[8:9] != b"{":
        return flip_bit(data, rng)
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    data[begin + place(data[begin:], rng)] ^= 1 << rng.randrange(8)
    return data


def set_byte(data, rng):
    data[place(data, rng)] = rng.randrange(256)
    return data


def set_bytes(data, rng):
    at = place(data, rng)
    data[at:at + 16] = rng.randbytes(len(data[at:at + 16]))
    return data


def truncate(data, rng):
    return data[:place(data, rng)]


def empty(data, rng):
    return b""


def append(data, rng):
    return data + rng.randbytes(rng.randrange(1, 100))


def insert(data, rng):
    at = place(data, rng)
    return data[:at] + rng.randbytes(rng.randrange(1, 20)) + data[at:]


def remove_range(data, rng):
    at = place(data, rng)
    return data[:at] + data[at + rng.randrange(1, 50):]


def zero_block(data, rng):
    at = place(data, rng) // 512 * 512
    data[at:at + 512] = bytes(len(data[at:at + 512]))
    return data


def swap_blocks(data, rng):
    size = rng.choice([4, 16, 64])
    a, b = sorted(rng.sample(range(max(2, len(data) // size)), 2))
    block = [data[i * size:(i + 1) * size] for i in range(len(data) // size + 1)]
    block[a], block[b] = block[b], block[a]
    return b"".join(block)


def another_number(data, rng):
    """A number in the text, or in the metadata of a checkpoint, becomes another."""
    at = [i for i in range(1, len(data)) if chr(data[i]).isdigit() and data[i - 1] < 128 and not chr(data[i - 1]).isalnum()]
    if not at:
        return flip_bit(data, rng)
    begin = rng.choice(at[:400])
    end = begin
    while end < len(data) and chr(data[end]).isdigit():
        end += 1
    value = rng.choice([b"0", b"1", b"7", b"50000", b"4611686018427387904", b"-1", b"1e308"])
    changed = data[:begin] + value + data[end:]
    return fit_header(changed, len(changed) - len(data)) if data[8:9] == b"{" and data[0:1] != b"{" else changed


def fit_header(data, longer):
    """A header that grew is still whole: only its checksum tells."""
    size = struct.unpack("<Q", data[:8])[0] + longer
    return struct.pack("<Q", size) + data[8:]


def shuffle(data, rng):
    """Another order of the vocabulary, of the fields, or of the lines."""
    try:
        fields = json.loads(data)
    except ValueError:
        lines = bytes(data).split(b"\n")
        rng.shuffle(lines)
        return b"\n".join(lines)
    if "pieces" in fields:
        rng.shuffle(fields["pieces"])
    else:
        fields = dict(rng.sample(list(fields.items()), len(fields)))
    return json.dumps(fields, indent=2).encode()


def remove(directory, name, other, rng):
    (directory / name).unlink()


def foreign(directory, name, other, rng):
    shutil.copy(other / name, directory / name)


def folder(directory, name, other, rng):
    (directory / name).unlink()
    (directory / name).mkdir()


def broken_link(directory, name, other, rng):
    (directory / name).unlink()
    (directory / name).symlink_to("nowhere")


def exchange(directory, name, other, rng):
    """Two files of the directory under each other's name."""
    second = rng.choice([f for f in FILES if f != name])
    os.rename(directory / name, directory / "x")
    os.rename(directory / second, directory / name)
    os.rename(directory / "x", directory / second)


REWRITES = [flip_bit, flip_weight, set_byte, set_bytes, truncate, empty, append, insert, remove_range, zero_block, swap_blocks,
            another_number, another_number, shuffle]
DAMAGES = [(f.__name__, rewrite(f)) for f in REWRITES] + [
    (f.__name__, f) for f in (remove, foreign, folder, broken_link, exchange)]


# --- What the program makes of it ---

class Case:
    """A trained directory, another of the same shapes, and what the commands make of the first."""

    def __init__(self, program, root):
        self.program, self.root = program, root
        words = ["a", "b", "c", "d", "e"]
        pairs = [f"{x} {y} {z}\t{z} {y} {x}" for x in words for y in words for z in words]
        (root / "pairs.tsv").write_text("\n".join(pairs) + "\n")
        self.whole, self.other = root / "whole", root / "other"
        corpus = ["--data", str(root / "pairs.tsv"), *SMALL]
        train(program, self.whole, *corpus, "--steps", "15")
        train(program, self.other, *corpus, "--steps", "15", "--seed", "2")
        self.expected = {c: self.results(c, self.copy("as it is")) for c in ("run", "show", "resume")}
        assert all(done.returncode == 0 for done, _ in self.expected.values())

    def copy(self, name):
        directory = self.root / name
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.whole, directory)
        return directory

    def results(self, command, directory):
        """The process, and what it gave."""
        at = str(directory)
        if command == "run":
            done = weft(self.program, "run", "--model-dir", at, "--n-best", "2", "--threads", "1", text=SOURCES)
            return done, done.stdout
        if command == "show":
            done = weft(self.program, "show", "--model-dir", at, "--sentence", "a b c")
            return done, done.stdout
        done = weft(self.program, "train", "--model-dir", at, "--resume", "--steps", "20", "--threads", "1")
        if done.returncode != 0:
            return done, None
        return done, [tensors(directory / f) for f in ("last.safetensors", "best.safetensors")]

    def outcome(self, command, directory):
        try:
            done, result = self.results(command, directory)
        except subprocess.TimeoutExpired:
            return "HANG", b""
        said = done.stderr
        if done.returncode < 0 or done.returncode >= 128:
            return "CRASH", said
        if done.returncode != 0:
            last = said[said.rfind(b"weft: "):]
            return ("RAMBLE" if last.count(b"\n") > 1 or len(last) > 4000 else "refused"), said
        if result == self.expected[command][1]:
            return "the same", said
        return ("warned" if b"warning" in said else "SILENT"), said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=20, help="damaged directories")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--damage", choices=sorted({name for name, _ in DAMAGES}), help="of one kind only")
    parser.add_argument("--file", choices=FILES, help="of one file only")
    parser.add_argument("--verbose", action="store_true", help="print every case")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    damages = [d for d in DAMAGES if options.damage in (None, d[0])]
    counts, bad = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as root:
        case = Case(os.path.abspath(options.program), Path(root))
        for number in range(options.count):
            how, damage = damages[number % len(damages)]
            name = options.file or rng.choice(FILES)
            state = rng.getstate()
            for command in ("run", "show", "resume"):
                directory = case.copy("damaged")
                rng.setstate(state)
                damage(directory, name, case.other, rng)
                outcome, said = case.outcome(command, directory)
                counts[command, outcome] += 1
                is_bad = outcome.isupper()
                bad += is_bad
                if is_bad or options.verbose:
                    print(f"{number}: {how} of {name}: {command}: {outcome}: {said.decode(errors='replace')[-300:].strip()}")
    for (command, outcome), count in sorted(counts.items()):
        print(f"{command:<8}{outcome:<10}{count:>6}")
    sys.exit(1 if bad else 0)


main()
