// A sentence's result does not depend on what stands beside it in the batch: not by a bit.
#include <weft/core/parallel.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/forced_scoring.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/tests/catch.h>
#include <weft/tests/sanitized.h>
#include <weft/tests/seq2seq/decoding/small_model.h>

#include <bit>
#include <utility>

using namespace weft;

namespace {

using Sizes = std::vector<std::pair<int64_t, int64_t>>;  // of the vocabulary and the model

constexpr int64_t kRounds = kSanitized ? 2 : 3;  // of all, of some, of few
// Vocabularies and widths at which products are small and large, whole vectors and not.
const Sizes kFewSizes{{50, 16}};
const Sizes kSizes = kSanitized ? kFewSizes : Sizes{{50, 16}, {301, 72}, {2000, 128}};
const Sizes kRecurrentSizes = kSanitized ? kFewSizes : Sizes{{50, 16}, {301, 72}};

// Everything of the hypotheses, numbers as their bits.
std::vector<uint64_t> bits(const std::vector<Hypothesis>& found) {
  std::vector<uint64_t> all{found.size()};
  for (const Hypothesis& h : found) {
    all.push_back(h.ids.size());
    for (const int64_t id : h.ids) all.push_back(static_cast<uint64_t>(id));
    for (const float p : h.token_log_probs) all.push_back(std::bit_cast<uint32_t>(p));
    all.push_back(std::bit_cast<uint64_t>(h.log_prob));
    all.push_back(std::bit_cast<uint64_t>(h.score));
  }
  return all;
}

// Lengths from 1 to beyond a block of attention's keys (128), so that every sentence is padded to
// many widths. Each of these is decoded alone, and among others in batches of several counts.
void check_companions(Seq2SeqModel& model, int64_t vocabulary, const Strategy& strategy) {
  Generator random(21);
  std::vector<Ids> sources;
  for (const int64_t words : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 33, 40, 64, 130})
    sources.push_back(random_source(random, words, vocabulary));
  std::vector<std::vector<uint64_t>> alone;
  for (int64_t i = 0; i < std::ssize(sources); ++i)
    alone.push_back(bits(decode(model, {&sources[static_cast<size_t>(i)], 1}, strategy,
                                std::vector<int64_t>{i})[0]));
  for (int64_t round = 0; round < kRounds; ++round) {
    std::vector<Ids> some;
    std::vector<int64_t> numbers;
    // The batches of decode() are of sentences alike in length: a few far apart meet more padding.
    const int64_t count =
        round == 0 ? std::ssize(sources) : 1 + random.below(round % 2 == 0 ? 4 : 18);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = round == 0 ? i : random.below(std::ssize(sources));
      numbers.push_back(at);
      some.push_back(sources[static_cast<size_t>(at)]);
    }
    const auto found = decode(model, some, strategy, numbers);
    for (size_t i = 0; i < some.size(); ++i) {
      CAPTURE(round, numbers[i], count);
      REQUIRE(bits(found[i]) == alone[static_cast<size_t>(numbers[i])]);
    }
  }
}

std::vector<Ids> random_targets(int64_t vocabulary) {
  Generator random(22);
  std::vector<Ids> targets;
  for (int64_t i = 0; i < 18; ++i) {
    targets.push_back(random_source(random, 3 * i, vocabulary));
    targets.back().pop_back();
  }
  return targets;
}

void check_strategies(Seq2SeqModel& model, int64_t vocabulary) {
  check_companions(model, vocabulary, BeamSearch());
  check_companions(model, vocabulary, BeamSearch({.beam = 5}));
  check_companions(model, vocabulary, Sampling({.top_k = 20, .seed = 4, .samples = 2}));
  check_companions(model, vocabulary, ForcedScoring(random_targets(vocabulary)));
}

}  // namespace

TEST_CASE("a sentence's result has the same bits whatever stands beside it", "[companions]") {
  const auto [vocabulary, d_model] = GENERATE(from_range(kSizes));
  CAPTURE(vocabulary, d_model);
  check_strategies(*small_model(vocabulary, d_model), vocabulary);
}

TEST_CASE("so has a recurrent model's, of any kind", "[companions]") {
  const auto [vocabulary, d_model] = GENERATE(from_range(kRecurrentSizes));
  const RecurrentCell cell = GENERATE(RecurrentCell::gru, RecurrentCell::lstm);
  const RecurrentAttention attention =
      GENERATE(RecurrentAttention::luong, RecurrentAttention::bahdanau);
  CAPTURE(vocabulary, d_model, cell, attention);
  check_strategies(
      *small_recurrent_model(
          {.vocabulary = vocabulary, .d_model = d_model, .cell = cell, .attention = attention}),
      vocabulary);
}
