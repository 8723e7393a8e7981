// Batches. Shuffle, sort by length (stable, so that equal lengths stay shuffled), cut greedily,
// shuffle the batches.
#include <weft/core/detail/check.h>
#include <weft/core/random.h>
#include <weft/seq2seq/text/batching.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace weft {
namespace {

template <class T>
void shuffle(std::vector<T>& values, Generator& random) {
  for (int64_t left = std::ssize(values); left > 1; --left) {
    std::swap(values[static_cast<size_t>(left - 1)],
              values[static_cast<size_t>(random.below(left))]);
  }
}

// Cuts `order` into runs of at most `max_tokens`; a longer sentence makes a run of its own.
template <class Length>
std::vector<Batch> cut(const std::vector<int64_t>& order, int64_t max_tokens, Length length) {
  std::vector<Batch> batches;
  int64_t longest = 0;
  for (const int64_t i : order) {
    const int64_t wider = std::max<int64_t>(longest, length(i));
    if (batches.empty() || wider * (std::ssize(batches.back()) + 1) > max_tokens) {
      batches.push_back({i});
      longest = length(i);
    } else {
      batches.back().push_back(i);
      longest = wider;
    }
  }
  return batches;
}

std::vector<int64_t> count_up(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

void check_budget(const char* who, int64_t max_tokens) {
  check(max_tokens > 0, "{}: max_tokens must be positive; got {}", who, max_tokens);
}

}  // namespace

TrainingBatches training_batches(std::span<const Pair> pairs, int64_t max_tokens, uint64_t seed,
                                 int64_t epoch) {
  return training_batches(pairs, count_up(std::ssize(pairs)), max_tokens, seed, epoch);
}

TrainingBatches training_batches(std::span<const Pair> pairs, std::vector<int64_t> order,
                                 int64_t max_tokens, uint64_t seed, int64_t epoch) {
  check_budget("training_batches", max_tokens);
  for (const int64_t place : order)
    check(place >= 0 && place < std::ssize(pairs),
          "training_batches: a pair's place must be in [0, {}); got {}", pairs.size(), place);
  const auto lengths = [&](int64_t i) {
    const Pair& pair = pairs[static_cast<size_t>(i)];
    return std::pair{std::ssize(pair.target), std::ssize(pair.source)};
  };
  const auto longest = [&](int64_t i) { return std::max(lengths(i).first, lengths(i).second); };
  TrainingBatches result;
  const auto too_long = [&](int64_t i) { return longest(i) > max_tokens; };
  result.skipped = static_cast<int64_t>(std::erase_if(order, too_long));
  Generator random(seed);
  random.set_state(random.next(), static_cast<uint64_t>(epoch) << 32);
  shuffle(order, random);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return lengths(a) < lengths(b); });
  result.batches = cut(order, max_tokens, longest);
  shuffle(result.batches, random);
  return result;
}

std::vector<Batch> inference_batches(std::span<const Ids> sentences, int64_t max_tokens) {
  check_budget("inference_batches", max_tokens);
  const auto length = [&](int64_t i) -> int64_t {
    return std::ssize(sentences[static_cast<size_t>(i)]);
  };
  std::vector<int64_t> order = count_up(std::ssize(sentences));
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return length(a) < length(b); });
  return cut(order, max_tokens, length);
}

PaddedIds pad_ids(std::span<const Ids> sentences) {
  PaddedIds padded;
  padded.rows = std::ssize(sentences);
  for (const Ids& ids : sentences) {
    padded.lengths.push_back(std::ssize(ids));
    padded.columns = std::max(padded.columns, padded.lengths.back());
  }
  for (const Ids& ids : sentences) {
    padded.ids.insert(padded.ids.end(), ids.begin(), ids.end());
    padded.ids.resize(padded.ids.size() + static_cast<size_t>(padded.columns) - ids.size(), kPad);
  }
  return padded;
}

PaddedIds pad_ids(std::span<const Pair> pairs, const Batch& batch, Ids Pair::*side) {
  std::vector<Ids> sentences;
  for (const int64_t i : batch) {
    check(i >= 0 && i < std::ssize(pairs), "pad_ids: index must be in [0, {}); got {}",
          pairs.size(), i);
    sentences.push_back(pairs[static_cast<size_t>(i)].*side);
  }
  return pad_ids(sentences);
}

PaddedIds select_rows(const PaddedIds& ids, const Ids& rows) {
  PaddedIds taken{std::ssize(rows), ids.columns, {}, {}};
  for (const int64_t row : rows) {
    check(row >= 0 && row < ids.rows, "select_rows: rows must be in [0, {}); got {}", ids.rows,
          row);
    const int64_t* first = ids.ids.data() + row * ids.columns;
    taken.ids.insert(taken.ids.end(), first, first + ids.columns);
    taken.lengths.push_back(ids.lengths[static_cast<size_t>(row)]);
  }
  return taken;
}

}  // namespace weft
