"""The cases of bench/weft_bench.cpp in PyTorch: prints a line of JSON with the median of the steps.

usage: torch_bench.py (--train SIZES | --attention SIZES | --decode SIZES | --op-overhead)
                      [--threads N] [--steps N]

--train: d_model,ffn,heads,encoder,decoder,vocabulary,batch,source,target; one step of training an
encoder-decoder: forward, smoothed cross-entropy, backward, clipping, Adam.
--attention: batch,queries,keys,width,heads; cross-attention forward and backward.
--decode: d_model,ffn,heads,encoder,decoder,vocabulary,sentences,source,shortest,beam; beam search
with cached keys and values, in which sentence i is given shortest + i % 5 ids.
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


class Decoding:
    """The rows of a Translator's beams: a step reads an id of each and predicts the next."""

    def __init__(self, model, source, longest):
        self.model = model
        self.layers = model.transformer.decoder.layers
        self.heads = self.layers[0].self_attn.num_heads
        width = self.layers[0].self_attn.embed_dim
        self.length = 0
        memory = model.transformer.encoder(model.source(source) * model.scale)
        self.memory = []  # of every layer, as caches: keys and values [rows, heads, length, head]
        for layer in self.layers:
            a = layer.multihead_attn
            both = functional.linear(memory, a.in_proj_weight[width:], a.in_proj_bias[width:])
            self.memory.append([self.split(x) for x in both.chunk(2, -1)])
        shape = (len(source), self.heads, longest, width // self.heads)
        self.caches = [[torch.empty(shape), torch.empty(shape)] for _ in self.layers]

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attend(self, attention, x, keys, values):
        found = functional.scaled_dot_product_attention(x, keys, values)
        return attention.out_proj(found.transpose(1, 2).flatten(2))

    def read_self(self, layer, cache, x):
        a = layer.self_attn
        q, *new = (self.split(part) for part in
                   functional.linear(x, a.in_proj_weight, a.in_proj_bias).chunk(3, -1))
        for kept, part in zip(cache, new):
            kept[:, :, self.length] = part[:, :, 0]
        return self.attend(a, q, *(kept[:, :, :self.length + 1] for kept in cache))

    def read_memory(self, layer, memory, x):
        a, width = layer.multihead_attn, x.shape[-1]
        q = self.split(functional.linear(x, a.in_proj_weight[:width], a.in_proj_bias[:width]))
        return self.attend(a, q, *memory)

    def log_probs(self, ids):
        """[rows] -> [rows, V]"""
        x = self.model.target(ids).unsqueeze(1) * self.model.scale
        for layer, cache, memory in zip(self.layers, self.caches, self.memory):
            x = layer.norm1(x + self.read_self(layer, cache, x))
            x = layer.norm2(x + self.read_memory(layer, memory, x))
            x = layer.norm3(x + layer.linear2(functional.relu(layer.linear1(x))))
        self.length += 1
        x = self.model.transformer.decoder.norm(x[:, 0])
        return torch.log_softmax(self.model.output(x), -1)

    def keep(self, rows, same_memory):
        self.caches = [[kept.index_select(0, rows) for kept in cache] for cache in self.caches]
        if not same_memory:
            self.memory = [[kept.index_select(0, rows) for kept in pair] for pair in self.memory]


def decoding_step(d_model, ffn, heads, encoder, decoder, vocabulary, sentences, source, shortest,
                  beam):
    begin, end = 2, 3
    model = Translator(d_model, ffn, heads, encoder, decoder, vocabulary).eval()
    model.output = nn.Linear(d_model, vocabulary, bias=False)
    lengths = shortest + torch.arange(sentences) % 5
    sources = torch.randint(end + 1, vocabulary, (sentences, source))
    @torch.no_grad()
    def step():
        decoding = Decoding(model, sources, int(lengths.max()))
        left, width = lengths, 1  # of the sentences not done; rows of each
        ids, scores = torch.full((sentences,), begin), torch.zeros(sentences, 1)
        while True:
            found = scores.flatten().unsqueeze(1) + decoding.log_probs(ids)
            found[:, :end + 1] = -torch.inf  # nothing ends by itself
            scores, best = found.view(len(left), -1).topk(beam)
            rows = best // vocabulary + torch.arange(len(left)).unsqueeze(1) * width
            going = left > decoding.length
            if not going.any():
                return
            ids, scores = best[going].flatten() % vocabulary, scores[going]
            rows = rows[going].flatten()
            if beam > 1 or not going.all():
                decoding.keep(rows, width == beam and bool(going.all()))
            left, width = left[going], beam

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
    case.add_argument("--decode", type=sizes(10))
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
    elif options.decode:
        step = decoding_step(*options.decode)
    else:
        step = op_overhead_step
    ms = median_ms(step, options.steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"torch": torch.__version__, "threads": options.threads, "ms": ms,
                      "peak_rss_mb": round(peak, 1)}))


if __name__ == "__main__":
    main()
