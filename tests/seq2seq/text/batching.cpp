#include <weft/core/random.h>
#include <weft/seq2seq/text/batching.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <numeric>
#include <set>

using namespace weft;

namespace {

// Pairs like those of a corpus: 1 to 30 tokens, the sides of similar length.
std::vector<Pair> corpus(int64_t n) {
  weft::Generator random(5);
  std::vector<Pair> pairs;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t source = 1 + random.below(26),
                  target = std::max<int64_t>(1, source + random.below(9) - 4);
    pairs.push_back(
        {Ids(static_cast<size_t>(source), 4 + i), Ids(static_cast<size_t>(target), 4 + i)});
  }
  return pairs;
}

int64_t longest(const std::vector<Pair>& pairs, const Batch& batch) {
  int64_t n = 0;
  for (const int64_t i : batch) {
    const Pair& p = pairs[static_cast<size_t>(i)];
    n = std::max({n, int64_t{std::ssize(p.source)}, int64_t{std::ssize(p.target)}});
  }
  return n;
}

}  // namespace

TEST_CASE("training batches keep the budget and use every pair once") {
  const auto pairs = corpus(2000);
  const TrainingBatches epoch = training_batches(pairs, 256, 1, 0);
  std::set<int64_t> used;
  int64_t padded = 0, tokens = 0;
  for (const Batch& batch : epoch.batches) {
    const int64_t cost = longest(pairs, batch) * std::ssize(batch);
    CHECK(cost <= 256);
    padded += cost;
    for (const int64_t i : batch) {
      CHECK(used.insert(i).second);
      const Pair& p = pairs[static_cast<size_t>(i)];
      tokens += std::max(std::ssize(p.source), std::ssize(p.target));
    }
  }
  CHECK(used.size() == 2000);
  CHECK(epoch.skipped == 0);
  CHECK(static_cast<double>(padded) < 1.1 * static_cast<double>(tokens));  // like lengths meet
}

TEST_CASE("training batches of some pairs hold these alone, each as often as it is named") {
  const auto pairs = corpus(100);
  std::vector<int64_t> places{7, 3, 99, 3, 50, 3};
  std::vector<int64_t> used;
  for (const Batch& batch : training_batches(pairs, places, 60, 1, 0).batches)
    used.insert(used.end(), batch.begin(), batch.end());
  std::sort(places.begin(), places.end());
  std::sort(used.begin(), used.end());
  CHECK(used == places);
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  CHECK(training_batches(pairs, all, 60, 1, 2).batches ==
        training_batches(pairs, 60, 1, 2).batches);
}

TEST_CASE("training batches depend on seed and epoch alone") {
  const auto pairs = corpus(500);
  const auto batches = [&](uint64_t seed, int64_t epoch) {
    return training_batches(pairs, 200, seed, epoch).batches;
  };
  const auto third = batches(1, 3);
  CHECK(batches(1, 3) == third);
  CHECK(batches(1, 4) != third);
  CHECK(batches(2, 3) != third);
}

TEST_CASE("training batches come in no order of length") {
  const auto pairs = corpus(2000);
  const auto batches = training_batches(pairs, 256, 1, 0).batches;
  int64_t rising = 0;
  for (size_t i = 1; i < batches.size(); ++i) {
    rising += longest(pairs, batches[i - 1]) < longest(pairs, batches[i]);
  }
  CHECK(rising > std::ssize(batches) / 3);
  CHECK(rising < 2 * std::ssize(batches) / 3);
}

TEST_CASE("pairs longer than the budget are skipped and counted") {
  std::vector<Pair> pairs = corpus(10);
  pairs[3].target.assign(50, 9);
  pairs[7].source.assign(41, 9);
  const TrainingBatches epoch = training_batches(pairs, 40, 1, 0);
  CHECK(epoch.skipped == 2);
  for (const Batch& batch : epoch.batches) {
    CHECK(std::count(batch.begin(), batch.end(), 3) + std::count(batch.begin(), batch.end(), 7) ==
          0);
  }
  CHECK(training_batches({}, 40, 1, 0).batches.empty());
}

TEST_CASE("inference batches hold every sentence, over-long and empty ones included") {
  const std::vector<Ids> sentences{Ids(3, 5), Ids(100, 5), {}, Ids(4, 5), Ids(3, 5)};
  CHECK(inference_batches(sentences, 9) == std::vector<Batch>{{2, 0, 4}, {3}, {1}});
  CHECK(inference_batches({}, 9).empty());
}

TEST_CASE("pad_ids fills up rows and keeps lengths") {
  const std::vector<Pair> pairs{{{5, 6}, {7}}, {{8}, {9, 10, 11}}, {{}, {12}}};
  const PaddedIds source = pad_ids(pairs, {1, 0, 2}, &Pair::source);
  CHECK(source.rows == 3);
  CHECK(source.columns == 2);
  CHECK(source.ids == Ids{8, kPad, 5, 6, kPad, kPad});
  CHECK(source.lengths == Ids{1, 2, 0});
  CHECK(pad_ids(pairs, {0, 1}, &Pair::target).ids == Ids{7, kPad, kPad, 9, 10, 11});
  CHECK(message_of([&] { pad_ids(pairs, {3}, &Pair::source); }) ==
        "pad_ids: index must be in [0, 3); got 3");
}

TEST_CASE("select_rows takes rows that there are") {
  const PaddedIds ids = pad_ids(std::vector<Ids>{{5, 6}, {7}});
  const PaddedIds taken = select_rows(ids, {1, 0, 1});
  CHECK(taken.ids == Ids{7, kPad, 5, 6, 7, kPad});
  CHECK(taken.lengths == Ids{1, 2, 1});
  CHECK(message_of([&] {
          select_rows(ids, {0, 2});
        }) == "select_rows: rows must be in [0, 2); got 2");
  CHECK(message_of([&] { select_rows(ids, {-1}); }) ==
        "select_rows: rows must be in [0, 2); got -1");
}

TEST_CASE("a budget without tokens is an error") {
  CHECK(message_of([] { training_batches({}, 0, 1, 0); }) ==
        "training_batches: max_tokens must be positive; got 0");
  CHECK(message_of([] { inference_batches({}, -3); }) ==
        "inference_batches: max_tokens must be positive; got -3");
}
