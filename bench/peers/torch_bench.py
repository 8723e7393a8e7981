"""The cases of bench/weft_bench.cpp in PyTorch: prints a line of JSON with the median of the steps.

usage: torch_bench.py (--train SIZES | --attention SIZES | --op-overhead) [--threads N] [--steps N]

--train: d_model,ffn,heads,encoder,decoder,vocabulary,batch,source,target; one step of training an
encoder-decoder: forward, smoothed cross-entropy, backward, clipping, Adam.
--attention: batch,queries,keys,width,heads; cross-attention forward and backward.
--op-overhead: a chain of 1,000 multiplications of one number, forward and backward.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


def sizes(count):
    def parse(text):
        numbers = [int(part) for part in text.split(",")]
        if len(numbers) != count or min(numbers) < 1:
            raise argparse.ArgumentTypeError(f"wants {count} positive numbers; got {text!r}")
        return numbers

    return parse


class Translator(nn.Module):
    def __init__(self, d_model, ffn, heads, encoder, decoder, vocabulary):
        super().__init__()
        self.source = nn.Embedding(vocabulary, d_model)
        self.target = nn.Embedding(vocabulary, d_model)
        self.transformer = nn.Transformer(d_model, heads, encoder, decoder, ffn, batch_first=True)
        self.output = nn.Linear(d_model, vocabulary)
        self.scale = d_model**0.5

    def forward(self, source, target, mask):
        hidden = self.transformer(self.source(source) * self.scale,
                                  self.target(target) * self.scale,
                                  tgt_mask=mask, tgt_is_causal=True)
        return self.output(hidden)


def training_step(d_model, ffn, heads, encoder, decoder, vocabulary, batch, source, target):
    model = Translator(d_model, ffn, heads, encoder, decoder, vocabulary)
    adam = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98))
    x, y, expected = (torch.randint(vocabulary, (batch, n)) for n in (source, target, target))
    mask = nn.Transformer.generate_square_subsequent_mask(target)

    def step():
        adam.zero_grad(set_to_none=True)
        logits = model(x, y, mask)
        functional.cross_entropy(logits.flatten(0, 1), expected.flatten(),
                                 label_smoothing=0.1).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step


def attention_step(batch, queries, keys, width, heads):
    attention = nn.MultiheadAttention(width, heads, batch_first=True)
    query = torch.randn(batch, queries, width, requires_grad=True)
    memory = torch.randn(batch, keys, width, requires_grad=True)
    dy = torch.randn(batch, queries, width)

    def step():
        attention.zero_grad(set_to_none=True)
        query.grad = memory.grad = None
        attention(query, memory, memory, need_weights=False)[0].backward(dy)

    return step


def op_overhead_step():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(1000):
        y = y * 1.0001
    y.backward()


def median_ms(step, count):
    for _ in range(3):
        step()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    case = parser.add_mutually_exclusive_group(required=True)
    case.add_argument("--train", type=sizes(9))
    case.add_argument("--attention", type=sizes(5))
    case.add_argument("--op-overhead", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.train:
        step = training_step(*options.train)
    elif options.attention:
        step = attention_step(*options.attention)
    else:
        step = op_overhead_step
    ms = median_ms(step, options.steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"torch": torch.__version__, "threads": options.threads, "ms": ms,
                      "peak_rss_mb": round(peak, 1)}))


if __name__ == "__main__":
    main()
