// Sampling against the probabilities it draws from.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

#include <limits>
#include <map>

using namespace weft;

namespace {

const std::map<int64_t, double> kAfter{{kEnd, 0.3}, {kA, 0.6}, {kB, 0.1}};
const Table kTable{{{}, {{kEnd, 0.2}, {kA, 0.5}, {kB, 0.3}}},
                   {{kA}, kAfter},
                   {{kB}, kAfter},
                   {{kA, kA}, {{kEnd, 1 - 1e-9}}},
                   {{kA, kB}, {{kEnd, 1 - 1e-9}}},
                   {{kB, kA}, {{kEnd, 1 - 1e-9}}},
                   {{kB, kB}, {{kEnd, 1 - 1e-9}}}};

// How often each translation is drawn in n samples of one sentence.
std::map<Ids, int64_t> counts(SamplingOptions options, int64_t n) {
  options.samples = n;
  std::map<Ids, int64_t> found;
  for (const Hypothesis& h : decode_one(kTable, Sampling(options))) ++found[h.ids];
  return found;
}

double chi_square(const std::map<Ids, int64_t>& got, const std::map<Ids, double>& want, int64_t n) {
  double sum = 0;
  for (const auto& [ids, p] : want) {
    const double mean = p * static_cast<double>(n);
    const double off = static_cast<double>(got.contains(ids) ? got.at(ids) : 0) - mean;
    sum += off * off / mean;
  }
  return sum;
}

// Probabilities of all translations where each id's is p^(1 / temperature), normalised.
std::map<Ids, double> exact(double temperature) {
  auto sharpened = [&](const std::map<int64_t, double>& p) {
    std::map<int64_t, double> q = p;
    double sum = 0;
    for (auto& entry : q) sum += entry.second = std::pow(entry.second, 1 / temperature);
    for (auto& entry : q) entry.second /= sum;
    return q;
  };
  std::map<int64_t, double> first = sharpened(kTable.at({})), second = sharpened(kAfter);
  std::map<Ids, double> all{{{}, first[kEnd]}};
  for (const int64_t a : {kA, kB}) {
    all[{a}] = first[a] * second[kEnd];
    for (const int64_t b : {kA, kB}) all[{a, b}] = first[a] * second[b];
  }
  return all;
}

}  // namespace

TEST_CASE("samples come as often as the model's probabilities say") {
  constexpr int64_t kSamples = 20000;
  for (const double temperature : {1.0, 0.5, 2.0}) {
    const auto got = counts({.temperature = temperature, .seed = 5}, kSamples);
    CAPTURE(temperature);
    CHECK(got.size() == 7);
    CHECK(chi_square(got, exact(temperature), kSamples) < 22.46);  // 6 degrees: 1 in 1000
    CHECK(chi_square(got, exact(temperature * 1.1), kSamples) > 22.46);
  }
}

TEST_CASE("different sentences draw different samples, with the model's frequencies") {
  constexpr int64_t kSamples = 4000;
  TableModel model(kTable);
  const std::vector<Ids> sources(kSamples, {kA, kEnd});
  std::map<Ids, int64_t> got;
  for (const auto& found : decode(model, sources, Sampling({.seed = 9}))) ++got[found[0].ids];
  CHECK(chi_square(got, exact(1), kSamples) < 22.46);
}

TEST_CASE("top_k restricts the draws to the likeliest ids") {
  // Two ids: A or B, then A or the end, then the end or (never) something else.
  const auto two = counts({.top_k = 2, .seed = 1}, 2000);
  CHECK(two.size() == 4);
  CHECK(two.contains({kA}));
  CHECK(two.contains({kB}));
  CHECK(two.contains({kA, kA}));
  CHECK(two.contains({kB, kA}));
  CHECK(counts({.top_k = 1}, 100) == std::map<Ids, int64_t>{{{kA, kA}, 100}});
  CHECK(counts({.top_k = 1000, .seed = 1}, 500) == counts({.seed = 1}, 500));
}

TEST_CASE("top_p restricts the draws to the fewest likeliest ids that sum up to it") {
  constexpr int64_t kSamples = 4000;
  CHECK(counts({.top_p = 0.45}, 100) == std::map<Ids, int64_t>{{{kA, kA}, 100}});
  // A or B of 0.8, then A or the end of 0.9, then the end.
  const std::map<Ids, double> want{
      {{kA}, 5. / 24}, {{kA, kA}, 10. / 24}, {{kB}, 3. / 24}, {{kB, kA}, 6. / 24}};
  const auto got = counts({.top_p = 0.65, .seed = 4}, kSamples);
  CHECK(got.size() == 4);
  CHECK(chi_square(got, want, kSamples) < 16.27);  // 3 degrees: 1 in 1000
  // Of sharpened probabilities the likeliest id has more: 0.66, then 0.78.
  CHECK(counts({.temperature = 0.5, .top_p = 0.65}, 100) ==
        std::map<Ids, int64_t>{{{kA, kA}, 100}});
  // Of the two likeliest ids A has 0.625 of 0.8.
  CHECK(counts({.top_k = 2, .top_p = 0.6}, 100) == std::map<Ids, int64_t>{{{kA, kA}, 100}});
  CHECK(counts({.top_p = 1, .seed = 1}, 500) == counts({.seed = 1}, 500));
}

TEST_CASE("towards temperature 0, sampling is greedy search") {
  const auto model = small_model(40, 16);
  Generator random(3);
  std::vector<Ids> sources;
  for (int64_t words = 1; words < 8; ++words) sources.push_back(random_source(random, words, 40));
  const auto greedy = decode(*model, sources, BeamSearch());
  const auto drawn = decode(*model, sources, Sampling({.temperature = 1e-9}));
  for (size_t i = 0; i < sources.size(); ++i) {
    CHECK(drawn[i][0].ids == greedy[i][0].ids);
    CHECK(drawn[i][0].log_prob == greedy[i][0].log_prob);
  }
}

TEST_CASE("the seed and the number of the sentence decide what is drawn") {
  const auto model = small_model(40, 16);
  const std::vector<Ids> sources(3, {7, 8, 9, kEnd});
  auto drawn = [&](uint64_t seed, std::vector<int64_t> numbers) {
    std::vector<Ids> ids;
    for (const auto& found : decode(*model, sources, Sampling({.seed = seed}), numbers))
      ids.push_back(found[0].ids);
    return ids;
  };
  const std::vector<Ids> first = drawn(1, {});
  CHECK(first[0] != first[1]);
  CHECK(drawn(1, {}) == first);
  CHECK(drawn(2, {})[0] != first[0]);
  CHECK(drawn(1, {2, 1, 0}) == std::vector<Ids>{first[2], first[1], first[0]});
}

TEST_CASE("sampling says what is wrong with its options") {
  auto refusal = [](const SamplingOptions& o) { return message_of([&] { Sampling{o}; }); };
  CHECK(refusal({.temperature = 0}) ==
        "decode: the temperature must be positive and finite; got 0");
  CHECK(refusal({.temperature = std::numeric_limits<double>::quiet_NaN()}) ==
        "decode: the temperature must be positive and finite; got nan");
  CHECK(refusal({.top_k = 0}) == "decode: top_k must be at least 1; got 0");
  CHECK(refusal({.top_p = 0}) == "decode: top_p must be in (0, 1]; got 0");
  CHECK(refusal({.top_p = 1.5}) == "decode: top_p must be in (0, 1]; got 1.5");
  CHECK(refusal({.samples = 0}) == "decode: samples must be at least 1; got 0");
  const Table nothing{{{}, {{kEnd, 0}, {kA, 0}, {kB, 0}}}};
  CHECK(message_of([&] { decode_one(nothing, Sampling()); }) ==
        "decode: nothing can be drawn for sentence 0: every id has -inf");
}
