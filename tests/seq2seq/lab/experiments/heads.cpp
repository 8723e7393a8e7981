#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/experiments/heads.h>
#include <weft/seq2seq/lab/head_curvature.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/experiments/toy_subject.h>

#include <cmath>

using namespace weft;

namespace {

std::vector<MultiheadAttention*> attentions(Module& model) {
  std::vector<MultiheadAttention*> found;
  detail::for_each_module(model, [&](Module& module) {
    if (auto* attention = dynamic_cast<MultiheadAttention*>(&module)) found.push_back(attention);
  });
  return found;
}

}  // namespace

TEST_CASE("heads: all kept is the model as it is, none kept the model without attention") {
  ToySubject toy;
  toy.split.text.target = translate_all(*toy.model, *toy.vocabulary, toy.split.text.source);
  const ExperimentTable table =
      heads_experiment(toy.with({}), {.sentences = 2, .points = 4, .orders = 2}).table;
  detail::ScopedHooks hooks;
  for (MultiheadAttention* attention : attentions(*toy.model))
    hooks.add(mask_heads(*attention, zeros({4})));
  const double none = exact_match(translate_all(*toy.model, *toy.vocabulary, toy.split.text.source),
                                  toy.split.text.target);
  for (const char* order : {"importance", "curvature", "random"}) {
    CHECK(table.at({"24"}, order) == 100);
    CHECK(table.at({"0"}, order) == none);
  }
  CHECK(table.at({"24"}, "deviation") == 0);
  CHECK(table.at({"0"}, "deviation") == 0);
}

TEST_CASE("growth without a head is the second order of the loss in its mask") {
  const ToySubject toy;
  toy.model->to(kFloat64);
  std::vector<Pair> pairs;
  for (size_t i = 0; i < 2; ++i)
    pairs.push_back({encode_source(*toy.vocabulary, toy.split.text.source[i]),
                     encode_target(*toy.vocabulary, toy.split.text.target[i])});
  MultiheadAttention& attention = *attentions(*toy.model).back();
  const std::vector<Head> heads{{&attention, 2, 0}, {attentions(*toy.model).front(), 0, 0}};
  const auto loss = [&](double mask) {
    detail::ScopedHooks hooks;
    hooks.add(mask_heads(attention, from_vector<double>({1, 1, mask, 1}, {4})));
    return toy.model
        ->loss(pad_ids(pairs, {0, 1}, &Pair::source), pad_ids(pairs, {0, 1}, &Pair::target), 0)
        .item();
  };
  const double e = 1e-3, slope = (loss(1 + e) - loss(1 - e)) / (2 * e),
               curvature = (loss(1 + e) - 2 * loss(1) + loss(1 - e)) / (e * e);
  CHECK(std::abs(growth_without(*toy.model, heads, pairs)[0] - (0.5 * curvature - slope)) <= 1e-6);
}
