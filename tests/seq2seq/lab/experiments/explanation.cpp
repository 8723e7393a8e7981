#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/seq2seq/lab/experiments/detail/one_attention.h>
#include <weft/seq2seq/lab/experiments/explanation.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;

TEST_CASE("letters are written from the last to the first, after what was written so far") {
  Generator generator(1);
  const Letters letters = draw_letters(3, 5, generator);
  CHECK(flip(letters.written, {1}).to_vector<int64_t>() == letters.source.to_vector<int64_t>());
  CHECK(slice(letters.read, 1, 1).to_vector<int64_t>() ==
        slice(letters.written, 1, 0, -1).to_vector<int64_t>());
  CHECK(letters.read.at({2, 0}) == 0);
}

TEST_CASE("one attention sees what its weights let through, and nothing else of the source") {
  const NoGrad no_grad;
  for (const auto sees : {OneAttention::Sees::context, OneAttention::Sees::token}) {
    Generator generator(2);
    OneAttention model(sees, generator);
    Letters letters = draw_letters(2, 4, generator);
    const OneAttentionResult own = model(letters);
    CHECK(own.weights.shape() == Shape{2, 1, 4, 4});
    const Tensor nothing = zeros({2, 1, 4, 4});
    const OneAttentionResult blind = model(letters, nothing);
    CHECK(blind.weights.to_vector<float>() == nothing.to_vector<float>());
    letters.source = flip(letters.source, {1});
    CHECK(model(letters, nothing).logits.to_vector<float>() == blind.logits.to_vector<float>());
    CHECK(model(letters).logits.to_vector<float>() != own.logits.to_vector<float>());
  }
}

TEST_CASE("explanation: what is known of each control after a few updates") {
  const ExperimentTable table =
      explanation_experiment({.updates = 10, .seeds = 2, .lambdas = {0.5}}).table;
  CHECK(table.rows.size() == 8);
  const auto at = [&](const char* model, const char* weights, const char* column) {
    return table.at({model, weights}, column);
  };
  CHECK(at("recurrent", "learned", "JSD to base") == 0);
  CHECK(at("recurrent", "learned", "TVD to base") == 0);
  for (const char* model : {"recurrent", "token-wise"}) {
    CHECK(std::abs(at(model, "uniform", "JSD to uniform")) <= 1e-6);
    CHECK(std::abs(at(model, "uniform", "JSD to base") -
                   (at("recurrent", "learned", "JSD to uniform"))) <= 1e-6);
  }
  CHECK(at("token-wise", "base's", "JSD to base") == 0);
  CHECK(at("token-wise", "base's", "AER %") == at("recurrent", "learned", "AER %"));
  CHECK(std::abs(at("token-wise", "adversary's", "JSD to base") -
                 (at("recurrent", "adversary, lambda 0.5", "JSD to base"))) <= 1e-12);
  CHECK(at("recurrent", "another seed's", "JSD to base") > 0);
  CHECK(std::abs(at("recurrent", "another seed's", "accuracy %") -
                 (at("recurrent", "learned", "accuracy %"))) <= 1e-9);
}
