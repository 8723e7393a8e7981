"""The same Hessian as bench/hessian.cpp's by torch.autograd.functional.hessian, on the same file.

usage: python3 bench/hessian.py tests/fixtures/attention_hessian.safetensors
"""

import json
import statistics
import sys
import time

import torch
from safetensors.torch import load_file
from torch.nn.attention import SDPBackend, sdpa_kernel

RUNS = 101


def main():
    tensors = load_file(sys.argv[1])
    module = torch.nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64)
    prefix = "param."
    module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items()
                            if k.startswith(prefix)})
    module.requires_grad_(False)
    memory, target = tensors["input.memory"], tensors["input.target"]
    expected = tensors["output.hessian"]

    def loss(query):
        output = module(query, memory, memory, need_weights=False)[0]
        return 0.5 * (output - target).square().sum()

    def report(method, hessian):
        found, times = hessian(), []
        for _ in range(RUNS):
            start = time.perf_counter()
            hessian()
            times.append(1e3 * (time.perf_counter() - start))
        error = (found - expected).abs().max().item()
        print(json.dumps({"method": method, "ms": round(statistics.median(times), 3),
                          "largest_difference": error}))

    query = tensors["input.query"]
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for vectorize in (False, True):
            report(f"PyTorch, vectorize={vectorize}, threads {threads}",
                   lambda: torch.autograd.functional.hessian(loss, query, vectorize=vectorize))


if __name__ == "__main__":
    with sdpa_kernel(SDPBackend.MATH):
        main()
