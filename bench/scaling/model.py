"""What a training step on several ranks costs: the exchange of gradients that
optim/distributed/detail/exchange.cpp does, over the collectives of Open MPI 4.1, overlapped with
backward. Times in seconds, sizes in bytes. docs/scaling.md derives the formulas.
"""

import math
import random
from dataclasses import dataclass, replace
from functools import cache
from heapq import heapreplace

EAGER = 64 << 10  # larger messages over TCP ask before they are sent: three trips instead of one
FORWARD = 1 / 3  # of a part's time; backward has the rest


@dataclass(frozen=True)
class Network:
    rate: float  # bit/s, each way
    latency: float  # from host to host


@dataclass(frozen=True)
class Costs:
    """What is fitted."""

    efficiency: float  # of the rate, what is left to payload
    per_message: float  # seconds of the sender
    per_byte: float  # seconds of copying and adding, for a byte that goes through a rank


@dataclass(frozen=True)
class Job:
    ranks: int
    layers: tuple  # bytes of the parameters, from first to last
    compute: float  # seconds of forward and backward of one part
    parts: int = 1  # of an update, on each rank
    bucket: float = 4 << 20
    optimizer: float = 0  # seconds for all parameters
    sharded: bool = False
    local_steps: int = 0
    spread: float = 0  # standard deviation of compute, as a share of it

    @property
    def size(self):
        return sum(self.layers)


def partial_sums(begin, end):
    """How many sums a rank with parts [begin, end) sends: pairwise_sum.h."""
    counts = []
    for part in range(begin, end):
        first, count = part, 1
        while counts and counts[-1][1] == count and counts[-1][0] % (2 * count) == 0:
            first, count = counts.pop()[0], 2 * count
        counts.append((first, count))
    return len(counts)


def buckets(layers, size):
    """Bytes of each bucket, filled from the last parameter to the first: Exchange::make_buckets."""
    filled = []
    for layer in reversed(layers):
        if not filled or filled[-1] >= size:
            filled.append(0)
        filled[-1] += layer
    return filled


def trips(piece):
    return 1 if piece <= EAGER else 3


def all_to_all(size, ranks, network, costs):
    """`size` bytes leave each rank, but for its own piece."""
    if ranks == 1:
        return 0
    rounds = ranks - 1 if ranks < 4 else 1  # pairwise, or all at once
    wire = 8 * size * (ranks - 1) / ranks / (network.rate * costs.efficiency)
    return rounds * trips(size / ranks) * network.latency + (ranks - 1) * costs.per_message + wire


def all_gather(size, ranks, network, costs):
    """A ring: each rank ends with `size` bytes, of which it had its share."""
    if ranks == 1:
        return 0
    wire = 8 * size * (ranks - 1) / ranks / (network.rate * costs.efficiency)
    return (ranks - 1) * (trips(size / ranks) * network.latency + costs.per_message) + wire


def flags(ranks, network, costs):
    """Which parameters had a gradient anywhere: a few bytes (Bruck's algorithm)."""
    return math.ceil(math.log2(ranks)) * (network.latency + costs.per_message)


def exchange(size, sums, ranks, network, costs):
    """Of one bucket, `sums` partial sums from each rank."""
    return (
        all_to_all(sums * size, ranks, network, costs)
        + all_gather(size, ranks, network, costs)
        + costs.per_byte * (sums + 1) * size
    )


def gradients(job, network, costs, computes):
    """From the beginning of an update until all ranks have the sums; `computes`: each rank's time
    for a part. Buckets go one after the other, each when the slowest rank has it."""
    slowest = max(computes)
    if job.ranks == 1:
        return slowest * job.parts
    sums = max(
        partial_sums(r * job.parts, (r + 1) * job.parts) for r in range(min(job.ranks, 64))
    )
    begin = slowest * (job.parts - 1 + FORWARD)
    done = filled = 0
    for size in buckets(job.layers, job.bucket):
        filled += size
        ready = begin + slowest * (1 - FORWARD) * filled / job.size
        done = max(done, ready) + exchange(size, sums, job.ranks, network, costs)
    return max(done, slowest * job.parts) + flags(job.ranks, network, costs)


@cache
def largest_share(layers, ranks):
    """Of all parameters, where whole ones are shared out, the largest first, to the rank that has
    least: sharded_optimizer.cpp."""
    has = [0] * ranks
    for layer in sorted(layers, reverse=True):
        heapreplace(has, has[0] + layer)
    return max(has) / sum(layers)


def step(job, network, costs, computes=None):
    """Seconds of an update, on the average of those that meet and those that do not."""
    computes = computes or [job.compute]
    optimizer = job.optimizer * (largest_share(job.layers, job.ranks) if job.sharded else 1)
    if job.local_steps:
        meeting = sum(
            exchange(size, 1, job.ranks, network, costs)
            for size in buckets(job.layers, 4 << 20)
        )
        return max(computes) * job.parts + optimizer + meeting / job.local_steps
    total = gradients(job, network, costs, computes) + optimizer
    if job.sharded:
        total += all_gather(job.size, job.ranks, network, costs)
    return total


def drawn(job, dice):
    """Each rank's time for a part. Ranks that seldom meet wait for the slowest sum, not step."""
    spread = job.spread / math.sqrt(job.parts * max(1, job.local_steps))
    sigma = math.sqrt(math.log(1 + spread**2))
    return [
        job.compute * dice.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(job.ranks)
    ]


def simulate(job, network, costs, steps=20, seed=1):
    """Mean seconds of an update, ranks' times drawn."""
    dice = random.Random(seed)
    if job.spread == 0:
        return step(job, network, costs)
    return sum(step(job, network, costs, drawn(job, dice)) for _ in range(steps)) / steps


def efficiency(job, network, costs):
    """Of the time of an update, what one rank alone would need for its parts and the optimizer."""
    alone = replace(job, ranks=1, sharded=False, local_steps=0, spread=0)
    return step(alone, network, costs) / simulate(job, network, costs)


def sent(job):
    """Bytes that a rank sends in an update."""
    others = (job.ranks - 1) / job.ranks
    if job.local_steps:
        return 2 * job.size * others / job.local_steps
    sums = partial_sums(0, job.parts)
    return (sums + 1 + job.sharded) * job.size * others


def state_bytes(job, moments=2):
    """Of the optimizer, on the rank that has most."""
    return moments * job.size * (largest_share(job.layers, job.ranks) if job.sharded else 1)


def fit(points, start=Costs(0.9, 1e-4, 1e-9), rounds=400):
    """The costs with the least sum of squared relative errors over (job, network, seconds): steps
    up and down by a factor that shrinks."""

    def error(costs):
        return sum((step(job, net, costs) / seconds - 1) ** 2 for job, net, seconds in points)

    best, factor = start, 2.0
    least = error(best)
    for _ in range(rounds):
        improved = False
        for name in ("efficiency", "per_message", "per_byte"):
            for scale in (factor, 1 / factor):
                value = getattr(best, name) * scale
                tried = replace(best, **{name: min(value, 1.0) if name == "efficiency" else value})
                now = error(tried)
                if now < least:
                    best, least, improved = tried, now, True
        if not improved:
            factor = math.sqrt(factor)
            if factor < 1.0001:
                break
    return best
