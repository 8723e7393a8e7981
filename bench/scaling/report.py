#!/usr/bin/env python3
"""Fits the model to what network.sh measured, checks it on what it has not seen, and simulates up
to 1,000 ranks. Writes docs/scaling-*.svg, and the tables of docs/scaling.md between their marks.
usage: report.py
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import svg
from model import Job, Network, efficiency, fit, sent, simulate, state_bytes, step

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
MILLI = 1e-3

# Latency: from host to host, one switch on the way.
NETWORKS = {
    "100 Mbit/s": Network(100e6, 200e-6),
    "1 Gbit/s": Network(1e9, 100e-6),
    "10 Gbit/s": Network(10e9, 50e-6),
}
# Bytes of each parameter of the models that run.sh times, as bench/train_model.h has them.
SIZES = {"2.6M": (128, 512, 3, 3, 3150), "60M": (512, 2048, 6, 6, 10300)}
RANKS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1000]
SPREAD = 0.05  # of ranks' times of a part
OWN_LATENCY = 15e-6  # of hosts.sh without a delay: half of a round trip of a byte


def read(name):
    return [json.loads(line) for line in (HERE / "results" / name).read_text().splitlines()]


def table(head, rows):
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in row) + " |" for row in cells)


def transformer(name):
    d, ffn, encoder, decoder, vocabulary = SIZES[name]
    attention = [3 * d * d, 3 * d, d * d, d]
    mlp = [d * ffn, ffn, ffn * d, d]
    norm = [d, d]
    layers = [vocabulary * d] * 2
    layers += (attention + mlp + 2 * norm) * encoder + norm
    layers += (2 * attention + mlp + 3 * norm) * decoder + norm
    layers += [vocabulary * d, vocabulary]
    return tuple(4 * n for n in layers)


def job_of(point, compute):
    layers, parameters, _ = (float(x) for x in point["work"].split(","))
    layer = 4 * int(parameters // layers)
    local = point["local_steps"]
    return Job(
        ranks=point["ranks"],
        layers=(layer,) * int(layers),
        compute=compute,
        parts=point["parts"] if local else point["parts"] // point["ranks"],
        bucket=point["bucket_mb"] * (1 << 20),
        optimizer=0,
        sharded=point["sharded"],
        local_steps=local,
    )


def network_of(point):
    return Network(1e6 * point["mbit"], OWN_LATENCY + MILLI * point["delay_ms"])


def measured(points):
    """(job, network, seconds) of each point with a network; compute is that of one host, and what
    the optimizer took, whose rank shares a core with others, is taken off."""
    alone = {p["work"]: p for p in points if p["ranks"] == 1}
    jobs = []
    for p in points:
        if p["ranks"] == 1:
            continue
        seconds = MILLI * (p["compute_ms"] + p["exchange_ms"])
        if p["sharded"]:
            seconds += MILLI * (p["optimizer_ms"] - alone[p["work"]]["optimizer_ms"] / p["ranks"])
        compute = MILLI * alone[p["work"]]["compute_ms"]
        jobs.append((job_of(p, compute), network_of(p), seconds, p))
    return jobs


def describe(p):
    words = [f"{p['ranks']} hosts, {p['mbit']} Mbit/s" if "hosts" in p else "2 ranks, loopback"]
    if p["delay_ms"]:
        words.append(f"{p['delay_ms']} ms")
    words.append(f"{p['parameters'] * 4e-6:.1f} MB in {p['bucket_mb']} MiB")
    if p["sharded"]:
        words.append("sharded")
    if p["local_steps"]:
        words.append(f"met every {p['local_steps']}")
    if p["parts"] > p["ranks"]:
        words.append(f"{p['parts']} parts")
    return ", ".join(words)


def network_report(points):
    jobs = measured(points)
    costs = fit([(job, net, seconds) for job, net, seconds, p in jobs if p["fit"]])
    rows = []
    for job, net, seconds, p in jobs:
        told = step(job, net, costs)
        used = "fitted" if p["fit"] else "not seen"
        error = 100 * (told / seconds - 1)
        rows.append([describe(p), used, f"{seconds:.2f}", f"{told:.2f}", f"{error:+.0f} %"])
    for row in rows:
        row[-1] = row[-1].replace("+0 %", "0 %").replace("-0 %", "0 %")
    head = ["", "", "measured, s", "model, s", "error"]
    constants = (
        f"Payload has {100 * costs.efficiency:.0f} % of the rate; a message costs its sender "
        f"{1e6 * costs.per_message:.0f} microseconds; a byte {1e9 * costs.per_byte:.2f} ns of "
        "copying and adding."
    )
    return costs, table(head, rows) + "\n\n" + constants


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def cores_report(points):
    rows, cases = [], {}
    for p in points:
        cases.setdefault((p["model"], p["ranks"], p["threads"], p["sharded"]), []).append(p)
    base = {}
    for (model, ranks, threads, sharded), runs in cases.items():
        took = mean(r["step_ms"] for r in runs)
        base.setdefault(model, took)
        spread = 100 * (max(r["step_ms"] for r in runs) / min(r["step_ms"] for r in runs) - 1)
        rows.append(
            [
                model,
                f"{ranks} x {threads}" + (", sharded" if sharded else ""),
                f"{took:.0f} ({spread:.0f} %)",
                *(f"{mean(r[k] for r in runs):.0f}" for k in ("compute_ms", "exchange_ms")),
                *(f"{mean(r[k] for r in runs):.1f}" for k in ("optimizer_ms", "sent_mb")),
                *(f"{mean(r[k] for r in runs):.0f}" for k in ("state_mb", "peak_rss_mb")),
                f"{base[model] / took:.2f}",
            ]
        )
    head = "model|ranks x threads|step, ms (runs differ)|forward and backward|rest of exchange"
    head += "|optimizer|MB sent|state, MB|peak, MB|against 1 x 1"
    return table(head.split("|"), rows)


def jobs_of_models(points):
    """One part for each rank, as timed on one thread."""
    jobs = {}
    for name in SIZES:
        runs = [
            p
            for p in points
            if p["model"] == name and p["ranks"] == 1 and p["threads"] == 1 and not p["sharded"]
        ]
        jobs[name] = Job(
            ranks=1,
            layers=transformer(name),
            compute=MILLI * mean(r["compute_ms"] / r["parts"] for r in runs),
            optimizer=MILLI * mean(r["optimizer_ms"] for r in runs),
            spread=SPREAD,
        )
        counted = runs[0]["parameters"]
        assert 4 * counted == jobs[name].size, f"{name}: {counted} parameters in run.sh"
    return jobs


def remedies(job):
    return {
        "one part a rank, 4 MiB": job,
        "buckets of 64 MiB": replace(job, bucket=64 << 20),
        "8 parts a rank": replace(job, parts=8),
        "8 parts, 64 MiB": replace(job, parts=8, bucket=64 << 20),
        "sharded state": replace(job, sharded=True),
        "local SGD, H = 50": replace(job, local_steps=50),
        "local SGD, H = 500": replace(job, local_steps=500),
    }


def curve(job, network, costs):
    return [(n, 100 * efficiency(replace(job, ranks=n), network, costs)) for n in RANKS]


def breaks(line):
    """The first number of ranks with less than half of the time in computing."""
    return next((str(n) for n, value in line if value < 50), "-")


def draw_plots(jobs, costs):
    for name, job in jobs.items():
        series = {net: curve(job, network, costs) for net, network in NETWORKS.items()}
        (DOCS / f"scaling-{name}.svg").write_text(efficiency_plot(
            f"{name} parameters: plain averaging", series))
    job = jobs["60M"]
    series = {what: curve(j, NETWORKS["1 Gbit/s"], costs) for what, j in remedies(job).items()}
    (DOCS / "scaling-remedies.svg").write_text(efficiency_plot(
        "60M parameters, 1 Gbit/s: what helps", series))


def efficiency_plot(title, series):
    return svg.lines(
        title,
        "ranks, each on a host of its own",
        "% of a step that is forward, backward and optimizer",
        series,
        [1, 10, 100, 1000],
        [0, 20, 40, 60, 80, 100],
    )


def simulation_report(jobs, costs):
    rows = []
    for name, job in jobs.items():
        for net, network in NETWORKS.items():
            line = dict(curve(job, network, costs))
            at = [f"{line[n]:.0f} %" for n in (2, 8, 64, 1000)]
            took = simulate(replace(job, ranks=1000), network, costs)
            rows.append([name, net, *at, breaks(line.items()), f"{took:.2f}"])
    head = ["model", "network", "2 ranks", "8", "64", "1,000", "below half from", "s at 1,000"]
    return table(head, rows)


def remedies_report(jobs, costs):
    rows = []
    for name, job in jobs.items():
        for what, j in remedies(job).items():
            row = [name, what]
            for network in NETWORKS.values():
                values = dict(curve(j, network, costs))
                row += [f"{values[64]:.0f} / {values[1000]:.0f} %"]
            at64 = replace(j, ranks=64)
            rows.append(row + [f"{sent(at64) / 1e6:.2f}", f"{state_bytes(at64) / 1e6:.1f}"])
    head = ["model", "", *NETWORKS, "MB sent an update", "state, MB"]
    return table(head, rows)


def fixed_batch_report(jobs, costs, parts=64):
    """An update of so many parts, however many ranks share them: the best number of ranks."""
    rows = []
    for name, job in jobs.items():
        for net, network in NETWORKS.items():
            took = {
                n: simulate(replace(job, ranks=n, parts=parts // n, bucket=64 << 20), network, costs)
                for n in (1, 2, 4, 8, 16, 32, 64)
            }
            best = min(took, key=took.get)
            rows.append([name, net, f"{took[1]:.1f}", best, f"{took[best]:.2f}",
                         f"{took[1] / took[best]:.1f}"])
    return table(["model", "network", "1 rank, s", "best ranks", "s", "times faster"], rows)


def replace_tables(page, tables):
    for name, content in tables.items():
        mark = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.S)
        page, n = mark.subn(lambda m, c=content: m[1] + c + '\n' + m[2], page)
        assert n == 1, f"docs/scaling.md needs one place for the table {name}"
    return page


def main():
    cores = read("cores.jsonl")
    costs, network = network_report([p for p in cores if "work" in p] + read("network.jsonl"))
    cores = [p for p in cores if "model" in p]
    jobs = jobs_of_models(cores)
    draw_plots(jobs, costs)
    for name, title in (
        ("timeline", "One step of 4 ranks at 100 Mbit/s; forward and backward sleep"),
        ("cores-timeline", "One step of 2 ranks on two cores; the 2.6M model"),
    ):
        drawing = svg.timeline(title, read(f"{name}.jsonl"))
        (DOCS / f"scaling-{name}.svg").write_text(drawing)
    page = DOCS / "scaling.md"
    page.write_text(
        replace_tables(
            page.read_text(),
            {
                "cores": cores_report(cores),
                "network": network,
                "simulation": simulation_report(jobs, costs),
                "remedies": remedies_report(jobs, costs),
                "fixed": fixed_batch_report(jobs, costs),
            },
        )
    )


if __name__ == "__main__":
    main()
