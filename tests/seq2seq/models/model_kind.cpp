#include <fmt/core.h>
#include <weft/core/error.h>
#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/models/same_by_steps.h>

#include <algorithm>

using namespace weft;

namespace {

ModelConfig small() {
  ModelConfig c;
  c.vocabulary = 12;
  c.d_model = 8;
  c.heads = 2;
  c.ffn = 16;
  return c;
}

}  // namespace

TEST_CASE("model kinds: each makes a model that writes what it was taught") {
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    const std::unique_ptr<Seq2SeqModel> model = kind.make(small(), Generator(3));
    model->eval();
    check_same_by_steps(*model, 1e-5);
  }
}

TEST_CASE("model kinds: rows that there are not are an error, and change nothing") {
  const NoGrad no_grad;
  const PaddedIds source = pad_ids(std::vector<Ids>{{5, 6, kEnd}, {7, kEnd}});
  const Tensor begin = full({2, 1}, kBegin, kInt64), next = full({2, 1}, 8, kInt64);
  for (const ModelKind& kind : builtin_models()) {
    INFO(kind.name);
    const std::unique_ptr<Seq2SeqModel> model = kind.make(small(), Generator(3));
    model->eval();
    const auto state = model->start(source), same = model->start(source);
    state->next_log_probs(begin);
    same->next_log_probs(begin);
    for (const int64_t row : {int64_t{2}, int64_t{-1}, int64_t{1} << 40}) {
      const std::string message = message_of([&] { state->keep({1, row}); });
      CHECK(message.find(fmt::format("must be in [0, 2); got {}", row)) != std::string::npos);
    }
    CHECK(state->next_log_probs(next).to_vector<float>() ==
          same->next_log_probs(next).to_vector<float>());
  }
}

TEST_CASE(
    "model kinds: what a kind reads are settings that there are, and it has use for no other") {
  const ModelConfig config;
  for (const ModelKind& kind : builtin_models()) {
    REQUIRE_FALSE(kind.reads.empty());
    CHECK(kind.has_use_for("model"));
    CHECK(kind.has_use_for("attention") == (kind.name != "transformer"));
    CHECK(kind.has_use_for("share-layers") == (kind.name == "transformer"));
    for (const std::string& name : kind.reads) {
      const auto all = config.settings();
      CHECK(std::any_of(all.begin(), all.end(),
                        [&](const AnySetting* s) { return s->info().name == name; }));
    }
  }
  CHECK(ModelKind{"own", "of all settings", {}}.has_use_for("attention"));
}

TEST_CASE(
    "model kinds: positions of the layers are in a Transformer's options, for models of one's "
    "own") {
  ModelConfig c = small();
  CHECK_FALSE(transformer_options(c).transformer.layer.rotary);
  c.positions.read("rotary");
  CHECK(transformer_options(c).transformer.layer.rotary);
  c.positions.read("transformer-xl");
  CHECK(transformer_options(c).transformer.layer.relative);
}

TEST_CASE("model kinds: settings that do not go together are an error that names them") {
  const ModelKind& transformer = find_named(builtin_models(), "transformer", "model");
  ModelConfig c = small();
  c.heads = 3;
  CHECK(message_of([&] { transformer.make(c, Generator(1)); }) ==
        "d-model: must be a multiple of heads; got 8 and 3");
  c.d_model = 9;
  CHECK(message_of([&] { transformer.make(c, Generator(1)); }) ==
        "d-model: must be even, for the positions' sines and cosines; got 9");
  c.positions.read("learned");
  CHECK_NOTHROW(transformer.make(c, Generator(1)));
}
