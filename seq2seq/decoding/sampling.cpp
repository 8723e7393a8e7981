#include <weft/core/detail/check.h>
#include <weft/core/random.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft {
namespace {

// Compares ids by what the model says of them.
auto likelier(std::span<const float> log_probs) {
  return [log_probs](int64_t a, int64_t b) {
    const float pa = log_probs[static_cast<size_t>(a)], pb = log_probs[static_cast<size_t>(b)];
    return pa != pb ? pa > pb : a < b;
  };
}

// kEnd and the ids behind it, or the k likeliest of them, in order.
Ids likeliest(std::span<const float> log_probs, std::optional<int64_t> k) {
  Ids ids(log_probs.size() - kEnd);
  std::iota(ids.begin(), ids.end(), kEnd);
  if (!k || *k >= std::ssize(ids)) return ids;
  std::nth_element(ids.data(), ids.data() + *k, ids.data() + ids.size(), likelier(log_probs));
  ids.resize(static_cast<size_t>(*k));
  std::sort(ids.begin(), ids.end());
  return ids;
}

// The fewest of the likeliest of `ids` that have `share` of all their weights, in order.
template <class Weight>
Ids nucleus(Ids ids, double share, std::span<const float> log_probs, Weight weight) {
  std::sort(ids.begin(), ids.end(), likelier(log_probs));
  double all = 0, inside = 0;
  for (const int64_t id : ids) all += weight(id);
  size_t count = 0;
  while (count < ids.size() && inside < share * all) inside += weight(ids[count++]);
  ids.resize(count);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

Sampling::Sampling(const SamplingOptions& o) : options_(o) {
  check(o.temperature > 0 && std::isfinite(o.temperature),
        "decode: the temperature must be positive and finite; got {}", o.temperature);
  check(o.top_k.value_or(1) >= 1, "decode: top_k must be at least 1; got {}", o.top_k.value_or(1));
  check(o.top_p.value_or(1) > 0 && o.top_p.value_or(1) <= 1,
        "decode: top_p must be in (0, 1]; got {}", o.top_p.value_or(1));
  check(o.samples >= 1, "decode: samples must be at least 1; got {}", o.samples);
}

std::vector<Choice> Sampling::choose(const SentenceState& sentence) const {
  const size_t step = sentence.live[0].ids.size();
  const auto samples = static_cast<size_t>(options_.samples);
  // From one beginning, empty or given, to as many as there are samples; later some have ended.
  const bool begins = sentence.live.size() + sentence.finished.size() < samples;
  const size_t draws = begins ? samples : sentence.live.size();
  Generator random(options_.seed);
  random.set_state(options_.seed, static_cast<uint64_t>(sentence.number));
  random.set_state(random.next(), step * samples);  // a stream for the sentence
  std::vector<Choice> choices;
  for (size_t i = 0; i < draws; ++i) {
    const size_t row = begins ? 0 : i;
    choices.push_back({row, draw(sentence, row, random.uniform())});
  }
  return choices;
}

int64_t Sampling::draw(const SentenceState& sentence, size_t row, double uniform) const {
  const std::span<const float> log_probs = sentence.next(row);
  Ids ids = likeliest(log_probs, options_.top_k);
  auto log_prob = [&](int64_t id) {
    return static_cast<double>(log_probs[static_cast<size_t>(id)]);
  };
  double top = log_prob(ids[0]);
  for (const int64_t id : ids) top = std::max(top, log_prob(id));
  check(std::isfinite(top), "decode: nothing can be drawn for sentence {}: every id has {}",
        sentence.number, top);
  // p^(1/T), the largest taken as 1.
  auto weight = [&](int64_t id) { return std::exp((log_prob(id) - top) / options_.temperature); };
  if (options_.top_p) ids = nucleus(std::move(ids), *options_.top_p, log_probs, weight);
  std::vector<double> up_to;
  double sum = 0;
  for (const int64_t id : ids) up_to.push_back(sum += weight(id));
  // The first sum above: an id of probability 0 adds nothing to the sum, so it is never that.
  const auto at = std::upper_bound(up_to.begin(), up_to.end(), uniform * sum);
  return ids[static_cast<size_t>(at - up_to.begin())];
}

}  // namespace weft
