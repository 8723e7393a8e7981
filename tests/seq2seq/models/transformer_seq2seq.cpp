// The translation model as training and search use it.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/nn/check_module.h>
#include <weft/nn/init.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/models/objective.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>
#include <weft/tests/seq2seq/models/same_by_steps.h>

#include <limits>

using namespace weft;

namespace {

const TransformerSeq2SeqOptions kSmall{
    .vocabulary = 12,
    .transformer = {.layer = {.d_model = 8, .nhead = 2, .dim_feedforward = 16, .dropout = 0},
                    .num_encoder_layers = 1,
                    .num_decoder_layers = 1}};

// Targets of quite different lengths.
const std::vector<Pair> kPairs{{{4, 5, 3}, {2, 6, 3}},
                               {{7, 3}, {2, 8, 9, 10, 11, 4, 3}},
                               {{5, 6, 7, 3}, {2, 4, 3}},
                               {{11, 10, 3}, {2, 5, 6, 7, 3}}};

// Loss and gradients of these batches, from the same initial weights.
struct Result {
  double loss = 0;
  std::vector<std::vector<double>> gradients;
};
Result gradients(const std::vector<Batch>& batches) {
  TransformerSeq2Seq model(kSmall, weft::Generator(3));
  Result result;
  for (const Batch& batch : batches)
    result.loss +=
        add_gradients(model, kPairs, batch, 14, {.label_smoothing = 0.1}, weft::Generator(3));
  for (const auto& p : model.named_parameters())
    result.gradients.push_back(p.tensor.grad().to_vector<double>());
  return result;
}

}  // namespace

TEST_CASE("accumulating the parts of a batch gives what the whole batch gives") {
  const Result whole = gradients({{0, 1, 2, 3}}), parts = gradients({{0, 2}, {1}, {3}});
  CHECK(predicted_tokens(kPairs, {0, 1, 2, 3}) == 14);
  CHECK(parts.loss == Approx(whole.loss).epsilon(1e-6));
  REQUIRE(parts.gradients.size() == whole.gradients.size());
  for (size_t p = 0; p < whole.gradients.size(); ++p) {
    for (size_t i = 0; i < whole.gradients[p].size(); ++i)
      CHECK(parts.gradients[p][i] == Approx(whole.gradients[p][i]).margin(1e-5));
  }
}

TEST_CASE("the mean loss weighs every token of its batches the same") {
  TransformerSeq2Seq model(kSmall, weft::Generator(3));
  const double whole = mean_loss(model, kPairs, std::vector<Batch>{{0, 1, 2, 3}});
  CHECK(mean_loss(model, kPairs, std::vector<Batch>{{0, 2}, {1}, {3}}) ==
        Approx(whole).epsilon(1e-6));
}

TEST_CASE("beam search refuses weights that give no numbers") {
  TransformerSeq2Seq model(kSmall, weft::Generator(3));
  model.eval();
  {
    const weft::NoGrad no_grad;
    weft::init::constant(model.named_parameters()[0].tensor,
                         std::numeric_limits<double>::quiet_NaN());
  }
  for (const int64_t beam : {1, 3}) {
    CHECK(message_of([&] {
            decode(model, std::vector<Ids>{{4, kEnd}}, BeamSearch({.beam = beam}));
          }) ==
          "decode: log-probabilities must be numbers of at most 0; got nan for id 3 of sentence 0: "
          "the weights of the model are damaged");
  }
}

namespace {

// Every choice at least once.
std::vector<TransformerSeq2SeqOptions> variants() {
  std::vector<TransformerSeq2SeqOptions> all(9, kSmall);
  all[1].positions = Positions::learned;
  all[1].longest = 16;
  all[1].tied_embeddings = false;
  all[2].positions = Positions::none;
  all[2].transformer.layer.norm_first = true;
  all[2].transformer.layer.activation = FeedForwardActivation::gelu;
  all[3].transformer.num_decoder_layers = 3;
  all[3].output_bias = true;
  all[4].transformer.final_norm = false;
  all[4].tied_embeddings = false;
  all[4].output_bias = true;
  all[5].positions = Positions::relative;
  all[5].transformer.layer.activation = FeedForwardActivation::swiglu;
  all[6].positions = Positions::rotary;
  all[6].transformer.layer.qk_norm = true;
  all[7].positions = Positions::alibi;
  all[7].transformer.layer.qk_norm = true;
  all[7].transformer.layer.norm_first = true;
  all[8].positions = Positions::transformer_xl;
  all[8].transformer.share_layers = true;
  return all;
}

}  // namespace

TEST_CASE("a Transformer writes step by step what it was taught at once, with every option") {
  for (const auto& options : variants()) {
    TransformerSeq2Seq model(options, Generator(3));
    model.eval();
    check_same_by_steps(model, 1e-5);
  }
}

TEST_CASE("a Transformer of every option has the gradients of its loss") {
  const PaddedIds source = pad_ids(std::vector<Ids>{{4, 5, 3}, {7, 3}});
  const PaddedIds target = pad_ids(std::vector<Ids>{{2, 6, 3}, {2, 8, 9, 3}});
  for (const auto& options : variants()) {
    const ModuleReport report = check_module(
        [&] { return TransformerSeq2Seq(options, Generator(3)); }, {},
        [&](TransformerSeq2Seq& m, const Tensors&) { return m.loss(source, target, 0.1); },
        {.directions = 3});
    CHECK(report.failures == std::vector<std::string>());
  }
}

TEST_CASE("layers that share their weights are layers with the same weights") {
  auto options = kSmall;
  options.transformer.num_encoder_layers = options.transformer.num_decoder_layers = 3;
  TransformerSeq2Seq apart(options, Generator(3));
  options.transformer.share_layers = true;
  TransformerSeq2Seq shared(options, Generator(4));
  NamedTensors same = apart.state_dict();
  for (NamedTensor& t : same)
    if (const size_t at = t.name.find(".layers."); at != std::string::npos)
      t.tensor = shared.find(std::string(t.name).replace(at + 8, 1, "0"));
    else
      t.tensor = shared.find(t.name);
  apart.load_state_dict(same);
  shared.eval();
  apart.eval();
  const PaddedIds source = pad_ids(std::vector<Ids>{{4, 5, 3}, {7, 3}});
  const PaddedIds target = pad_ids(std::vector<Ids>{{2, 6, 3}, {2, 8, 9, 3}});
  CHECK(largest_difference(shared(source, target), apart(source, target)) == 0);
  CHECK(apart.state_dict().size() > shared.state_dict().size());
  CHECK(shared.trace(source, target).cross.size() == 3);
}

TEST_CASE("positions have names") {
  for (const char* name :
       {"none", "sinusoidal", "learned", "relative", "rotary", "alibi", "transformer-xl"})
    CHECK(to_string(positions_named(name)) == std::string(name));
  CHECK(positions_named("transformer-xl") == Positions::transformer_xl);
  CHECK(message_of([] { positions_named("t5"); }) ==
        "positions: expected none, sinusoidal, learned, relative, rotary, alibi, transformer-xl; "
        "got 't5'");
}

TEST_CASE("separate embeddings are three matrices, tied ones are one") {
  const auto count = [](const TransformerSeq2SeqOptions& options) {
    int64_t matrices = 0;
    for (const auto& p : TransformerSeq2Seq(options, Generator(3)).named_parameters())
      matrices += p.tensor.size(0) == 12;
    return matrices;
  };
  CHECK(count(variants()[0]) == 1);
  CHECK(count(variants()[1]) == 3);
}
