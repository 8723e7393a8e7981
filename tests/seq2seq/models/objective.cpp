// What training minimizes beside the cross-entropy, by its formula and by finite differences.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/check_module.h>
#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/models/objective.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <cmath>

using namespace weft;

namespace {

const PaddedIds kSource = pad_ids(std::vector<Ids>{{4, 5, 3}, {7, 3}});
const PaddedIds kTarget = pad_ids(std::vector<Ids>{{2, 6, 3}, {2, 8, 9, 10, 3}});

const Generator kNone(0);  // draws nothing where no words are dropped

ModelConfig small(double dropout) {
  ModelConfig c;
  c.vocabulary = 12;
  c.d_model = 8;
  c.layers = 1;
  c.heads = 2;
  c.ffn = 16;
  c.dropout = dropout;
  return c;
}

}  // namespace

TEST_CASE("objective: without dropout R-Drop is the plain loss, for every kind of model") {
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    const auto model = kind.make(small(0), Generator(3));
    const double plain =
        objective(*model, kSource, kTarget, {.label_smoothing = 0.1}, kNone).item();
    CHECK(plain == model->loss(kSource, kTarget, 0.1).item());
    CHECK(
        objective(*model, kSource, kTarget, {.label_smoothing = 0.1, .r_drop = 5}, kNone).item() ==
        Approx(plain).epsilon(1e-6));  // products of twice the rows may add in another order
  }
}

TEST_CASE("objective: with dropout two passes disagree, and each alone draws as one did before") {
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    Generator plain(3), twice(3);
    const auto a = kind.make(small(0.3), plain), b = kind.make(small(0.3), twice);
    const uint64_t made = plain.position();
    const double loss = objective(*a, kSource, kTarget, {}, kNone).item();
    CHECK(loss == kind.make(small(0.3), Generator(3))->loss(kSource, kTarget, 0).item());
    const uint64_t keys = plain.position() - made;
    CHECK(keys > 0);
    const double both = objective(*b, kSource, kTarget, {.r_drop = 5}, kNone).item();
    CHECK(twice.position() - made == 2 * keys);
    CHECK(both != loss);
  }
}

TEST_CASE("objective: R-Drop is of both passes' predictions, without what pads predict") {
  Generator generator(3);
  const auto model = builtin_models()[0].make(small(0.3), generator);
  const GeneratorState start{generator, generator.seed(), generator.position()};
  const double found =
      objective(*model, kSource, kTarget, {.label_smoothing = 0.1, .r_drop = 2.5}, kNone).item();
  const RandomReplay again({start});
  const Prediction p = model->predict(kSource, kTarget), q = model->predict(kSource, kTarget);
  const Tensor rows = tensor({0, 1, 4, 5, 6, 7});  // row 0 has 2 ids to predict
  const auto of = [&](const Prediction& x) {
    return index_select(reshape(x.hidden, {8, 8}), 0, rows);
  };
  const Tensor next = tensor({6, 3, 8, 9, 10, 3});
  CHECK(
      found ==
      Approx(
          linear_r_drop(of(p), of(q), p.weight, p.bias, next, 2.5, {.label_smoothing = 0.1}).item())
          .epsilon(1e-6));
}

TEST_CASE("objective: R-Drop has the gradients of its value, in every parameter") {
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    Generator generator(3);
    auto model = kind.make(small(0.3), generator);
    model->to(kFloat64);
    const GeneratorState start{generator, generator.seed(), generator.position()};
    const auto value = [&] {
      const RandomReplay same({start});
      return objective(*model, kSource, kTarget, {.label_smoothing = 0.1, .r_drop = 5}, kNone);
    };
    value().backward();
    for (const NamedTensor& parameter : model->named_parameters()) {
      INFO(parameter.name);
      Tensor p = parameter.tensor;
      const int64_t i = p.numel() / 2;
      const NoGrad no_grad;
      const auto at = [&](double h) {
        p.mutable_data<double>("test")[i] += h;
        const double loss = value().item();
        p.mutable_data<double>("test")[i] -= h;
        return loss;
      };
      const double numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
      CHECK(p.grad().to_vector<double>()[static_cast<size_t>(i)] ==
            Approx(numeric).epsilon(1e-5).margin(1e-8));
    }
  }
}

TEST_CASE("objective: words are dropped at their rate, and specials never") {
  Ids ids(2000);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i % 8);
  const PaddedIds whole = pad_ids({&ids, 1});
  Generator generator(1);
  const PaddedIds seen = with_unknowns(whole, 0.25, generator);
  CHECK(seen.lengths == whole.lengths);
  int64_t dropped = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (seen.ids[i] == ids[i]) continue;
    CHECK((ids[i] >= kSpecials && seen.ids[i] == kUnknown));
    ++dropped;
  }
  CHECK(dropped > 200);  // of 1000, 250 within 3.6 deviations of 13.7
  CHECK(dropped < 300);
  CHECK(with_unknowns(whole, 0, generator).ids == whole.ids);
}

TEST_CASE("objective: with word dropout the model reads unknowns and predicts the words") {
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    const auto model = kind.make(small(0), Generator(3));
    Generator words(7);
    const PaddedIds source = with_unknowns(kSource, 0.5, words);
    const PaddedIds target = with_unknowns(kTarget, 0.5, words);
    REQUIRE(source.ids != kSource.ids);
    REQUIRE(target.ids != kTarget.ids);
    const Tensor found = objective(*model, kSource, kTarget, {.word_dropout = 0.5}, Generator(7));
    CHECK(found.item() == loss_of(model->predict(source, target), kTarget, 0).item());
  }
}

TEST_CASE("objective: a model that does not say how it predicts cannot be trained by R-Drop") {
  struct Mute : Seq2SeqModel {
    Tensor loss(const PaddedIds&, const PaddedIds&, double) override { return scalar(1); }
    std::unique_ptr<Decoding> start(const PaddedIds&) override { return nullptr; }
    AttentionTrace trace(const PaddedIds&, const PaddedIds&, Tensor*) override { return {}; }
  } mute;
  CHECK(objective(mute, kSource, kTarget, {}, kNone).item() == 1);
  CHECK(message_of([&] { objective(mute, kSource, kTarget, {.r_drop = 1}, kNone); }) ==
        "predict: the model does not say how it predicts; R-Drop and word dropout need a model "
        "with Seq2SeqModel::predict()");
}
