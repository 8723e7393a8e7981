#include <weft/seq2seq/decoding/forced_scoring.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>

#include <cmath>

using namespace weft;

TEST_CASE("perplexity is exp of the mean log-probability of a token, negated") {
  const ParallelText text{{"a b", "c", "b c d e"}, {"e d", "a b c", "b"}};
  const auto vocabulary = word_vocabulary(text.source, text.target);
  const auto model = small_model(vocabulary->size(), 16);
  std::vector<Ids> sources, targets;
  for (size_t i = 0; i < text.source.size(); ++i) {
    sources.push_back(encode_source(*vocabulary, text.source[i]));
    targets.push_back(vocabulary->encode(text.target[i]));
  }
  double sum = 0;
  for (const auto& found : decode(*model, sources, ForcedScoring(targets)))
    sum += found[0].log_prob;
  CHECK(perplexity(*model, *vocabulary, text) == Approx(std::exp(-sum / 9)).epsilon(1e-5));
}
