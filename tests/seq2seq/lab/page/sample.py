#!/usr/bin/env python3
"""Made-up reports in the format of `weft lab`, to look at and test its page with.

sample.py CASE writes the JSON to standard output. Cases: full (everything that a report may have,
with tokens that try to break a page), long (120 tokens), subwords, bare (a model without attention),
empty (no sentence).
"""
import json
import math
import random
import sys

LAYERS, HEADS = 4, 4
SOURCE = ["the", "<script>alert(1)</script>", "שלום", "مرحبا", "", "👩‍👩‍👧‍👦", "▁dog",
          "Donaudampfschifffahrtsgesellschaftskapitänsmütze" * 2, "the", "&amp;", "\"'`", " ",
          "a\tb\n\x00", "\u202ertl", "漢字", "</svg>", "x]]>", "é", ".", "</s>"]
TARGET = ["<s>", "der", "<img src=x onerror=alert(1)>", "Hund", "", "😀", "sieht", "מה", "die", "Katze",
          "im", "Garten", "und", "läuft", "{{7*7}}", "dann", "schnell", "weg", "!", "."]

MEASURES = {
    "weights": ("Attention weights", "A = softmax(QKᵀ/√d)", "How much a row takes in of each column.",
                "Bahdanau et al. 2015; Vaswani et al. 2017", False, ""),
    "gradient": ("Gradient of weights", "∂s/∂A", "How the score s changes for a small change of the "
                 "weight.", "", True, "nats"),
    "gradient_attention": ("Gradient × attention", "A ∂s/∂A", "What the weight adds to the score, to "
                           "first order.", "Michel et al. 2019", True, "nats"),
    "norm_weights": ("Weights × value norms", "‖Aᵢⱼ f(xⱼ)‖", "The length of what a column adds to the "
                     "row.", "Kobayashi et al. 2020", False, ""),
    "rollout": ("Rollout", "A′_L ⋯ A′₁, A′ = A/2 + I/2", "The part of a row that stems from a column.",
                "Abnar and Zuidema 2020", False, ""),
    "entropy": ("Entropy", "−Σⱼ Aᵢⱼ log Aᵢⱼ", "How widely a row looks.", "Ghader and Monz 2017", False,
                "nats"),
    "integrated_gradients": ("Integrated gradients", "x · ∫₀¹ ∂s/∂x(t x) dt", "The token's share in how "
                             "the score differs from that of a source of zeros.",
                             "Sundararajan et al. 2017", True, "nats"),
    "shapley": ("Shapley values", "the mean over all orders of what token i adds", "The token's fair "
                "share in the score.", "Shapley 1953", True, "nats"),
}


def digits(x):
    return float(f"{x:.5g}")


def softmax(scores):
    total = sum(math.exp(s) for s in scores)
    return [math.exp(s) / total for s in scores]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def weights(self, rows, columns, sharpness, shift=0, causal=False):
        matrix = []
        for r in range(rows):
            centre = r * columns / rows + shift
            scores = [-abs(c - centre) * sharpness + self.random.gauss(0, 0.8) for c in range(columns)]
            if causal:
                scores = scores[:r + 1]
            row = [digits(p) for p in softmax(scores)]
            matrix.append(row + [0] * (columns - len(row)))
        return matrix

    def signed(self, like):
        return [[digits(a * self.random.gauss(0.2, 1)) for a in row] for row in like]

    def maps(self, source, target):
        sides = {"cross": (len(target), len(source)), "encoder": (len(source),) * 2,
                 "decoder": (len(target),) * 2}
        for place, (rows, columns) in sides.items():
            weights = [[self.weights(rows, columns, 0.2 + 0.25 * h + 0.1 * l, h % 2, place == "decoder")
                        for h in range(HEADS)] for l in range(LAYERS)]
            yield {"measure": "weights", "place": place, "layers": weights}
            for measure in ("gradient", "gradient_attention"):
                yield {"measure": measure, "place": place,
                       "layers": [[self.signed(m) for m in layer] for layer in weights]}
        rows, columns = sides["cross"]
        yield {"measure": "norm_weights", "place": "cross",
               "layers": [[self.weights(rows, columns, 0.3)] for _ in range(LAYERS)]}
        yield {"measure": "rollout", "place": "cross", "layers": [[self.weights(rows, columns, 0.5)]]}
        yield {"measure": "rollout", "place": "whole",
               "layers": [[self.weights(rows + columns, rows + columns, 0.2)]]}

    def sentence(self, source, target, gold):
        log_probs = [digits(-self.random.expovariate(2)) for _ in target]
        tokens = [("integrated_gradients", "source", 0.4), ("shapley", "source", 0.3)]
        last = min(len(source), len(target)) - 1
        return {
            "source": source, "target": target, "predicted": target[1:] + ["</s>"],
            "translation": " ".join(target[1:]), "score": digits(sum(log_probs)), "log_probs": log_probs,
            "gold": {"sure": [[i, i] for i in range(last)],
                     "possible": [[i, i + 1] for i in range(0, last - 1, 3)]} if gold else None,
            "maps": list(self.maps(source, target)),
            "tokens": [{"measure": m, "side": side,
                        "values": [digits(self.random.gauss(0, scale)) for _ in source]}
                       for m, side, scale in tokens] +
                      [{"measure": "entropy", "side": "target",
                        "values": [digits(self.random.uniform(0, 2)) for _ in target[:-1]] + [None]}],
        }

    def agreement(self):
        for measure in ("weights", "gradient", "gradient_attention", "norm_weights", "rollout"):
            layers = [None] if measure == "rollout" else range(1, LAYERS + 1)
            heads = [None] if measure in ("rollout", "norm_weights") else [None, *range(1, HEADS + 1)]
            for layer in layers:
                for head in heads:
                    for offset in ("input", "output"):
                        aer = self.random.uniform(0.1, 0.9)
                        yield {"measure": measure, "layer": layer, "head": head, "offset": offset,
                               "aer": digits(aer), "precision": digits(1 - aer * 0.9),
                               "recall": digits(1 - aer * 1.1) if aer < 0.9 else None}

    def faithfulness(self):
        for measure in ("weights", "gradient", "integrated_gradients", "shapley"):
            for layer in range(1, LAYERS + 1) if measure in ("weights", "gradient") else [None]:
                yield {"measure": measure, "layer": layer,
                       "comprehensiveness": digits(self.random.uniform(0, 4)),
                       "sufficiency": digits(self.random.uniform(0, 3)),
                       "soft_comprehensiveness": digits(self.random.uniform(0, 4)),
                       "soft_sufficiency": digits(self.random.uniform(0, 3)),
                       "aopc": digits(self.random.uniform(0, 4)), "naopc": digits(self.random.random()),
                       "shapley_correlation": digits(self.random.uniform(-0.2, 1))
                       if measure != "gradient" else None}

    def heads(self):
        for place in ("encoder", "decoder", "cross"):
            table = {name: [[digits(self.random.uniform(0, top)) for _ in range(HEADS)]
                            for _ in range(LAYERS)]
                     for name, top in (("importance", 0.8), ("entropy", 2.5), ("distance", 6))}
            yield {"place": place, **table}

    def pruning(self):
        total = 3 * LAYERS * HEADS
        for metric, low, high in (("log-probability per token", -9, -0.1), ("exact match", 0, 97)):
            for order, bend in (("importance", 4), ("random", 1.3)):
                yield {"order": order, "metric": metric,
                       "points": [{"kept": kept,
                                   "value": digits(high - (high - low) * (1 - kept / total) ** bend)}
                                  for kept in range(0, total + 1, 6)]}

    def history(self):
        rows = []
        for step in range(100, 4001, 100):
            valid = step % 500 == 0
            rows.append([step, digits(6 * math.exp(-step / 700) + 0.05 + self.random.uniform(0, 0.05)),
                         digits(0.001 * min(1, step / 800)), digits(6 * math.exp(-step / 600) + 0.1)
                         if valid else None, digits(97 * (1 - math.exp(-step / 900))) if valid else None])
        return {"columns": ["step", "loss", "learning_rate", "valid_loss", "exact_match"], "rows": rows}


def film(maker):
    layers = ["embedding", *(f"transformer.{side}.layers.{i}" for side in ("encoder", "decoder") for i in range(LAYERS)),
              "transformer.<b>norm</b>"]
    paths = [f"transformer.{side}.layers.{i}.{kind}" for side, kinds in
             (("encoder", ["self_attn"]), ("decoder", ["self_attn", "multihead_attn"]))
             for i in range(LAYERS) for kind in kinds]
    source, predicted = ["the", "<b>dog</b>", "", "sees", "you", "</s>"], ["der", "Hund", "מה", "sieht", "</s>"]
    heads = HEADS * len(paths)

    def around(middle):
        return digits(middle * math.exp(maker.random.gauss(0, 0.6)))

    def frame(update):
        size = 0.05 + math.exp(-update / 900)
        norms = [around(size) for _ in layers]
        norms[-1] = None  # it has no gradient
        maps = [maker.weights(len(predicted), len(source), update / 1500) for _ in range(LAYERS)]
        return {"update": update, "gradients": 8, "norm": norms, "snr": [around(0.3) if n else None for n in norms],
                "head_norm": [around(size / 3) for _ in range(heads)],
                "head_snr": [0 if h == 1 else around(0.3) for h in range(heads)],
                "maps": [round(w, 2) for layer in maps for row in layer for w in row]}

    return {"layers": layers, "attention": [{"path": p, "heads": HEADS} for p in paths], "source": source,
            "predicted": predicted, "map_layers": LAYERS, "frames": [frame(u) for u in range(500, 4001, 500)]}


def measures(names):
    keys = ("label", "formula", "words", "reference", "signed", "unit")
    return {name: dict(zip(keys, MEASURES[name])) for name in names}


def report(sentences, **parts):
    return {"format": "weft-lab 1",
            "model": {"directory": "runs/<b>model", "kind": "transformer", "parameters": 604160,
                      "settings": {"layers": LAYERS, "heads": HEADS, "d-model": 128, "dropout": 0.1,
                                   "tie": True, "task": "german"}},
            "sentences": sentences, "measures": measures(MEASURES), "agreement": [], "faithfulness": [],
            "heads": [], "pruning": [], "history": None, "film": None, **parts}


def make(case):
    maker = Maker(1)
    plain = maker.sentence(["the", "dog", "sees", "the", "cat", ".", "</s>"],
                           ["<s>", "der", "Hund", "sieht", "die", "Katze", "."], True)
    if case == "full":
        return report([maker.sentence(SOURCE, TARGET, True), plain,
                       maker.sentence(["one", "</s>"], ["<s>"], False)],
                      agreement=list(maker.agreement()), faithfulness=list(maker.faithfulness()),
                      heads=list(maker.heads()), pruning=list(maker.pruning()), history=maker.history(), film=film(maker))
    if case == "long":
        words = [f"word{i}" for i in range(119)]
        return report([maker.sentence(words + ["</s>"], ["<s>"] + words, False)])
    if case == "subwords":
        source = ["▁the", "▁", "漢", "▁mag", "az", "ines", "▁.", "</s>"]
        target = ["<s>", "▁die", "▁Zeit", "<unk>", "en", "▁."]
        return report([{**maker.sentence(source, target, False), "translation": "die Zeit⁇en ."}])
    if case == "bare":
        short = film(maker)  # of one record, with neither heads nor a sentence
        short.update(attention=[], source=[], predicted=[], map_layers=0)
        short["frames"] = [{**short["frames"][0], "head_norm": [], "head_snr": [], "maps": []}]
        return report([{**plain, "gold": None, "maps": [], "tokens": []}],
                      measures={}, history=maker.history(), film=short)
    if case == "empty":
        return report([], measures={})
    sys.exit(f"sample.py: case must be full, long, subwords, bare or empty; got {case}")


if __name__ == "__main__":
    json.dump(make(sys.argv[1]), sys.stdout, ensure_ascii=False)
