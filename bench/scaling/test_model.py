#!/usr/bin/env python3
"""Checks the cost model against sums by hand."""

import unittest
from dataclasses import replace

from model import (
    Costs,
    Job,
    Network,
    all_gather,
    all_to_all,
    buckets,
    efficiency,
    fit,
    partial_sums,
    sent,
    simulate,
    state_bytes,
    step,
)

FREE = Costs(1, 0, 0)
NET = Network(8e6, 0)  # a megabyte each second


class Model(unittest.TestCase):
    def test_partial_sums_are_those_of_the_pairwise_sum(self):
        self.assertEqual(partial_sums(0, 1), 1)
        self.assertEqual(partial_sums(0, 8), 1)
        self.assertEqual(partial_sums(0, 3), 2)
        self.assertEqual(partial_sums(3, 6), 2)  # 3, 4 + 5
        self.assertEqual(partial_sums(1, 4), 2)  # 1, 2 + 3
        self.assertEqual(partial_sums(1, 6), 3)  # 1, 2 + 3, 4 + 5

    def test_buckets_fill_from_the_last(self):
        self.assertEqual(buckets([5, 1, 2, 3], 4), [5, 6])
        self.assertEqual(buckets([5, 1, 2, 3], 1), [3, 2, 1, 5])
        self.assertEqual(buckets([5, 1, 2, 3], 100), [11])

    def test_collectives(self):
        self.assertEqual(all_to_all(1e6, 1, NET, FREE), 0)
        self.assertAlmostEqual(all_to_all(1e6, 4, NET, FREE), 0.75)
        self.assertAlmostEqual(all_gather(1e6, 4, NET, FREE), 0.75)
        slow = Network(8e6, 0.1)
        self.assertAlmostEqual(all_gather(4000, 4, slow, FREE), 0.3 + 0.003)
        self.assertAlmostEqual(all_gather(4e5, 4, slow, FREE), 0.9 + 0.3)  # they ask first
        self.assertAlmostEqual(all_to_all(4000, 4, slow, FREE), 0.1 + 0.003)

    def test_one_bucket_is_not_overlapped(self):
        job = Job(ranks=2, layers=(10**6,), compute=3)
        self.assertAlmostEqual(step(job, NET, FREE), 3 + 1)  # 2 x half of a megabyte
        self.assertAlmostEqual(sent(job), 1e6)

    def test_buckets_hide_behind_backward(self):
        # 4 layers of 0.25 s on the wire; backward has 2 s, so a gradient every 0.5 s.
        job = Job(ranks=2, layers=(250_000,) * 4, compute=3, bucket=1)
        self.assertAlmostEqual(step(job, NET, FREE), 3 + 0.25)
        self.assertAlmostEqual(step(replace(job, compute=0.3), NET, FREE), 0.1 + 0.05 + 1)

    def test_parts_before_the_last_are_computed_alone(self):
        job = Job(ranks=2, layers=(10**6,), compute=3, parts=4)
        self.assertAlmostEqual(step(job, NET, FREE), 12 + 1)
        odd = replace(job, parts=3)  # two partial sums
        self.assertAlmostEqual(step(odd, NET, FREE), 9 + 1.5)

    def test_sharding_gathers_and_divides_the_optimizer(self):
        job = Job(ranks=2, layers=(500_000, 500_000), compute=3, optimizer=2, sharded=True)
        self.assertAlmostEqual(step(job, NET, FREE), 3 + 1 + 1 + 0.5)
        self.assertAlmostEqual(sent(job), 1.5e6)
        self.assertAlmostEqual(state_bytes(job), 1e6)
        uneven = replace(job, ranks=3, layers=(5, 3, 3, 2, 1))  # 5, 3 + 2, 3 + 1
        self.assertAlmostEqual(state_bytes(uneven), 10)

    def test_local_steps_divide_the_exchange(self):
        job = Job(ranks=2, layers=(10**6,), compute=3, local_steps=10)
        self.assertAlmostEqual(step(job, NET, FREE), 3.1)
        self.assertAlmostEqual(sent(job), 1e5)

    def test_the_slowest_rank_counts(self):
        job = Job(ranks=64, layers=(4,), compute=1, spread=0.1)
        fast = Network(1e15, 0)
        slowest = simulate(job, fast, FREE, steps=200)
        self.assertAlmostEqual(slowest, 1.25, delta=0.02)  # 2.4 deviations of 64 normal draws
        self.assertLess(simulate(replace(job, local_steps=100), fast, FREE), 1.05)
        self.assertAlmostEqual(efficiency(job, fast, FREE), 1 / slowest, delta=0.02)

    def test_the_fit_finds_what_made_the_points(self):
        truth = Costs(0.8, 2e-4, 3e-9)
        points = []
        for ranks in (2, 4):
            for rate in (1e7, 1e9):
                for size in (1000, 10**6):
                    job = Job(ranks=ranks, layers=(size,) * 8, compute=0.01, bucket=size)
                    network = Network(rate, 1e-4)
                    points.append((job, network, step(job, network, truth)))
        found = fit(points)
        self.assertAlmostEqual(found.efficiency / truth.efficiency, 1, delta=0.01)
        self.assertAlmostEqual(found.per_message / truth.per_message, 1, delta=0.02)
        self.assertAlmostEqual(found.per_byte / truth.per_byte, 1, delta=0.05)


if __name__ == "__main__":
    unittest.main()
