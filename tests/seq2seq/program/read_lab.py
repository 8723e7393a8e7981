#!/usr/bin/env python3
"""Reads a report of `weft lab` as JSON and as npz, by Python's own zip, and compares the two.

usage: read_lab.py REPORT.json REPORT.npz
"""
import ast
import json
import struct
import sys
import zipfile


def read_array(raw):
    """Shape and elements of an npy file of float32 or strings."""
    assert raw[:8] == b"\x93NUMPY\x01\x00", raw[:8]
    length = struct.unpack("<H", raw[8:10])[0]
    header = ast.literal_eval(raw[10:10 + length].decode("ascii"))
    assert not header["fortran_order"]
    data, kind = raw[10 + length:], header["descr"]
    count = 1
    for size in header["shape"]:
        count *= size
    if kind == "<f4":
        return header["shape"], list(struct.unpack(f"<{count}f", data))
    width = 4 * int(kind.removeprefix("<U"))
    assert len(data) == count * width
    return header["shape"], [data[i * width:(i + 1) * width].decode("utf-32-le").rstrip("\0") for i in range(count)]


def flat(nested):
    return [x for part in nested for x in flat(part)] if isinstance(nested, list) else [nested]


def shape_of(nested):
    return (len(nested), *shape_of(nested[0])) if isinstance(nested, list) else ()


def compare(array, nested):
    shape, values = array
    assert tuple(shape) == shape_of(nested), (shape, shape_of(nested))
    for a, b in zip(values, flat(nested)):
        assert abs(a - b) <= 1e-4 * max(abs(b), 1e-30), (a, b)


report = json.load(open(sys.argv[1], encoding="utf-8"))
assert report["format"] == "weft-lab 1"
archive = zipfile.ZipFile(sys.argv[2])
assert archive.testzip() is None  # checks every CRC
arrays = {name.removesuffix(".npy"): read_array(archive.read(name)) for name in archive.namelist()}
for number, sentence in enumerate(report["sentences"]):
    rows = {"cross": "target", "encoder": "source", "decoder": "target"}
    columns = {"cross": "source", "encoder": "source", "decoder": "target"}
    for side in ("source", "target", "predicted"):
        assert arrays[f"{number}/{side}"] == ((len(sentence[side]),), sentence[side])
    compare(arrays[f"{number}/log_probs"], sentence["log_probs"])
    assert abs(sum(sentence["log_probs"]) - sentence["score"]) < 1e-3 * abs(sentence["score"])
    for found in sentence["maps"]:
        compare(arrays[f"{number}/{found['measure']}/{found['place']}"], found["layers"])
        assert found["measure"] in report["measures"]
        for matrix in (head for layer in found["layers"] for head in layer):
            assert len(matrix) == len(sentence[rows[found["place"]]])
            assert len(matrix[0]) == len(sentence[columns[found["place"]]])
    for found in sentence["tokens"]:
        compare(arrays[f"{number}/{found['measure']}/{found['side']}"], found["values"])
for table in report["heads"]:
    for name in ("importance", "entropy", "distance"):
        compare(arrays[f"heads/{table['place']}/{name}"], table[name])
