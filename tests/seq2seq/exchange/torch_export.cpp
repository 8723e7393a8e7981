// What goes to PyTorch has PyTorch's names and shapes, and comes back unchanged.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/seq2seq/exchange/torch_export.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/tests/nn/numbers.h>
#include <weft/tests/places.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>

using namespace weft;

namespace {

std::unique_ptr<Vocabulary> letters() {
  return character_vocabulary(std::vector<std::string>{"abcdefgh"});  // 12 ids
}

// As the torch.nn.Transformer of tests/fixtures/transformer.safetensors.
TransformerSeq2SeqOptions fixture_options() {
  return {.vocabulary = 12,
          .transformer = {.layer = {.d_model = 8, .nhead = 2, .dim_feedforward = 12},
                          .num_encoder_layers = 2,
                          .num_decoder_layers = 2}};
}

std::string complaint(const TransformerSeq2SeqOptions& options) {
  const TempDir dir;
  const TransformerSeq2Seq model(options, Generator(1));
  return message_of([&] { export_torch(model, *letters(), dir / "out"); });
}

// Log-probabilities of the first step.
Tensor first_step(Seq2SeqModel& model) {
  const NoGrad no_grad;
  const auto decoding = model.start(pad_ids(std::vector<Ids>{{4, 9, 7, kEnd}, {8, kEnd}}));
  return decoding->next_log_probs(from_vector<int64_t>({kBegin, kBegin}, {2, 1}));
}

}  // namespace

TEST_CASE("torch export: the state dict of torch.nn.Transformer, name by name") {
  const SafetensorsFile torch =
      load_safetensors(test_data("transformer.safetensors").string(), "post_relu.param.");
  TransformerSeq2Seq model(fixture_options(), Generator(1));
  model.to(kFloat64);
  NamedTensors state = torch.tensors;
  for (NamedTensor& t : state) t.name = "transformer." + t.name;
  model.load_state_dict(state, /*strict=*/false);

  const TempDir dir;
  export_torch(model, *letters(), dir.path());
  const SafetensorsFile file =
      load_safetensors((dir / "model.safetensors").string(), "transformer.");
  CHECK(file.tensors.size() == torch.tensors.size());
  for (const NamedTensor& t : torch.tensors) {
    CAPTURE(t.name);
    REQUIRE(file.contains(t.name));
    REQUIRE(file.at(t.name).shape() == t.tensor.shape());
    CHECK(largest_difference(file.at(t.name), t.tensor) == 0);
  }
}

TEST_CASE("torch export: every name of a translator, tied matrices and an absent bias too") {
  const TempDir dir;
  const TransformerSeq2Seq model(fixture_options(), Generator(1));
  export_torch(model, *letters(), dir / "made/on the way");
  const SafetensorsFile file =
      load_safetensors((dir / "made/on the way/model.safetensors").string());
  for (const char* name : {"src_embedding.weight", "tgt_embedding.weight", "generator.weight"})
    CHECK(largest_difference(file.at(name), model.find("embedding.weight")) == 0);
  CHECK(file.at("generator.bias").shape() == Shape{12});
  CHECK(file.at("generator.bias").to_vector<float>() == std::vector<float>(12, 0));
  const std::string config = dir.read("made/on the way/config.json");
  for (const char* line : {"\"nhead\": 2,", "\"dim_feedforward\": 12,", "\"norm_first\": false,",
                           "\"activation\": \"relu\",", "\"positions\": \"sinusoidal\""})
    CHECK_THAT(config, Catch::Matchers::Contains(line));
}

TEST_CASE("torch export: PyTorch's directories go to weft and back, bit by bit") {
  for (const char* name : {"reverser", "learned"}) {
    CAPTURE(name);
    const LoadedModel first = load_model(test_data("torch_models") / name);
    const TempDir dir;
    export_torch(dynamic_cast<TransformerSeq2Seq&>(*first.model), *first.vocabulary, dir.path());
    const LoadedModel second = load_model(dir.path());
    CHECK(first_step(*second.model).to_vector<double>() ==
          first_step(*first.model).to_vector<double>());
    CHECK(second.vocabulary->piece(5) == first.vocabulary->piece(5));
  }
}

TEST_CASE("torch export: layers that share their weights become layers with equal weights") {
  TransformerSeq2SeqOptions o = fixture_options();
  o.transformer.num_encoder_layers = 3;
  o.transformer.share_layers = true;
  TransformerSeq2Seq model(o, Generator(1));
  model.eval();
  const TempDir dir;
  export_torch(model, *letters(), dir.path());
  const LoadedModel loaded = load_model(dir.path());
  CHECK(first_step(*loaded.model).to_vector<float>() == first_step(model).to_vector<float>());
}

TEST_CASE("torch export: what torch.nn.Transformer lacks is an error that names it") {
  TransformerSeq2SeqOptions o = fixture_options();
  CHECK(complaint(o).empty());
  o.positions = Positions::relative;
  CHECK(complaint(o) ==
        "export: --torch: torch.nn.Transformer takes positions that are added to embeddings; got "
        "--positions relative");
  o = fixture_options();
  o.transformer.layer.activation = FeedForwardActivation::swiglu;
  CHECK(complaint(o) ==
        "export: --torch: torch.nn.Transformer has activations relu and gelu; got --activation "
        "swiglu");
  o = fixture_options();
  o.transformer.layer.qk_norm = true;
  CHECK_THAT(complaint(o), Catch::Matchers::EndsWith("got --qk-norm"));
  o = fixture_options();
  o.transformer.final_norm = false;
  CHECK_THAT(complaint(o), Catch::Matchers::EndsWith("the model has none"));
}
