"""The recipe of bench/multi30k_compare.sh in PyTorch, as far as its speed goes: trains and prints, every ten
seconds of updates, a line of JSON with the updates, their seconds and the target tokens a second so far.

usage: torch_multi30k.py CORPUS [--minutes M] [--threads N]

CORPUS holds train.lc.norm.tok.en and .de, of which 10,000 joint subwords are learnt. A batch has at most
4,096 padded tokens on either side, sentences of like length together.
"""

import argparse
import io
import itertools
import json
import random
import time

import sentencepiece
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

D_MODEL, FFN, HEADS, LAYERS, DROPOUT = 128, 256, 4, 4, 0.3
RATE, WARMUP, SMOOTHING, MAX_TOKENS, VOCABULARY = 0.005, 2000, 0.1, 4096, 10000


def read_pairs(corpus):
    """The subwords' coder and the pairs of ids, source and target, ended by END."""
    sides = []
    for language in ("en", "de"):
        with open(f"{corpus}/train.lc.norm.tok.{language}", encoding="utf-8") as file:
            sides.append([line.strip() for line in file])
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=itertools.chain(*sides), model_writer=model, model_type="bpe",
        vocab_size=VOCABULARY, character_coverage=1.0, pad_id=0, unk_id=1, bos_id=2, eos_id=3,
        minloglevel=2)
    coder = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    end = [coder.eos_id()]
    return coder, [(source + end, [coder.bos_id()] + target + end)
                   for source, target in zip(*map(coder.encode, sides))]


def batches(pairs):
    """Pairs sorted by length and cut where padding would pass the limit, in random order."""
    order = sorted(pairs, key=lambda pair: (len(pair[1]), len(pair[0]), random.random()))
    cut, batch, longest = [], [], 0
    for pair in order:
        longest = max(longest, len(pair[0]), len(pair[1]))
        if batch and longest * (len(batch) + 1) > MAX_TOKENS:
            cut.append(batch)
            batch, longest = [], max(len(pair[0]), len(pair[1]))
        batch.append(pair)
    cut.append(batch)
    random.shuffle(cut)
    return cut


class Translator(nn.Module):
    def __init__(self, vocabulary, pad):
        super().__init__()
        self.pad = pad
        self.embedding = nn.Embedding(vocabulary, D_MODEL, padding_idx=pad)
        nn.init.normal_(self.embedding.weight, std=D_MODEL**-0.5)
        self.transformer = nn.Transformer(D_MODEL, HEADS, LAYERS, LAYERS, FFN, DROPOUT, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        rates = 1e4 ** (-torch.arange(0, D_MODEL, 2) / D_MODEL)
        angles = torch.arange(1024)[:, None] * rates
        self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], -1).flatten(1))

    def embed(self, ids):
        return self.dropout(self.embedding(ids) * D_MODEL**0.5 + self.positions[: ids.shape[1]])

    def loss(self, source, target):
        given, expected = target[:, :-1], target[:, 1:]
        padding = source == self.pad
        mask = nn.Transformer.generate_square_subsequent_mask(given.shape[1])
        hidden = self.transformer(self.embed(source), self.embed(given), tgt_mask=mask, tgt_is_causal=True,
                                  src_key_padding_mask=padding, memory_key_padding_mask=padding)
        kept = expected != self.pad
        logits = hidden[kept] @ self.embedding.weight.T
        return functional.cross_entropy(logits, expected[kept], label_smoothing=SMOOTHING), int(kept.sum())


def train(model, pairs, minutes):
    adam = torch.optim.Adam(model.parameters(), RATE, betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: min((step + 1) / WARMUP, (WARMUP / (step + 1)) ** 0.5))
    seconds = tokens = updates = printed = 0
    while True:
        for batch in batches(pairs):
            start = time.perf_counter()
            source, target = (pad_sequence([torch.tensor(pair[side]) for pair in batch], batch_first=True,
                                           padding_value=model.pad) for side in (0, 1))
            loss, count = model.loss(source, target)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
            seconds += time.perf_counter() - start
            tokens, updates = tokens + count, updates + 1
            over = seconds > 60 * minutes
            if over or seconds - printed > 10:
                printed = seconds
                print(json.dumps({"updates": updates, "seconds": round(seconds, 2),
                                  "loss": round(loss.item(), 4),
                                  "tokens_per_s": round(tokens / seconds, 1)}), flush=True)
            if over:
                return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    random.seed(1)
    coder, pairs = read_pairs(options.corpus)
    train(Translator(coder.vocab_size(), coder.pad_id()).train(), pairs, options.minutes)


if __name__ == "__main__":
    main()
