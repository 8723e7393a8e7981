// Layers give PyTorch's numbers (tests/fixtures): values, gradients of inputs and parameters,
// second order, in float64 and float32. The small ones are here, others in files of their own.
#include <fmt/format.h>
#include <weft/nn/embedding.h>
#include <weft/nn/gated.h>
#include <weft/nn/layer_norm.h>
#include <weft/nn/rms_norm.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/declared_layers.h>
#include <weft/tests/nn/torch_case.h>
#include <weft/tests/places.h>
#include <weft/tests/report.h>

#include <filesystem>
#include <map>
#include <set>

using namespace weft;

namespace {

// Why some layers are not compared.
const std::map<std::string, const char*> kReasons = {
    {"Activation", "a function of the user's"},
    {"BahdanauAttention", "not in PyTorch"},
    {"CrossAttention", "not in PyTorch"},
    {"Dropout", "its mask is not PyTorch's"},
    {"GroupedQueryAttention", "not in PyTorch, but its op is compared"},
    {"LearnedPositions", "not in PyTorch"},
    {"LinearAttention", "not in PyTorch"},
    {"LuongAttention", "not in PyTorch"},
    {"RelativePositionBias", "not in PyTorch"},
    {"RelativeScores", "not in PyTorch"},
    {"RotaryPositions", "not in PyTorch"},
    {"Sequential", "what is in it"},
    {"SinusoidalPositions", "not in PyTorch"},
    {"SwiGLU", "not in PyTorch"},
};

template <class M, class Make>
TorchTally all_of(const char* kind, Make make) {
  TorchTally all;
  for (const TorchCase& c : torch_cases("small_layers", kind)) {
    M layer = make(c);
    all += c.check(layer, [&](const TensorsByName& in) {
      return TensorsByName{{"output", layer(in.at("x"))}};
    });
  }
  return all;
}

template <class T>
std::optional<T> optional(const TorchCase& c, const char* key) {
  return c.settings().count(key) ? std::optional(c.settings().at(key).get<T>()) : std::nullopt;
}

TorchTally linear() {
  return all_of<Linear>("Linear", [](const TorchCase& c) {
    return Linear(c.get<int64_t>("in_features", 0), c.get<int64_t>("out_features", 0), Generator(1),
                  c.get("bias", true));
  });
}

TorchTally layer_norm() {
  return all_of<LayerNorm>("LayerNorm", [](const TorchCase& c) {
    return LayerNorm(c.get<int64_t>("normalized_shape", 0), c.get("eps", 1e-5),
                     c.get("bias", true));
  });
}

TorchTally rms_norm() {
  return all_of<RMSNorm>("RMSNorm", [](const TorchCase& c) {
    return RMSNorm(c.get<int64_t>("normalized_shape", 0), optional<double>(c, "eps"));
  });
}

TorchTally embedding() {
  return all_of<Embedding>("Embedding", [](const TorchCase& c) {
    return Embedding(c.get<int64_t>("num_embeddings", 0), c.get<int64_t>("embedding_dim", 0),
                     Generator(1), optional<int64_t>(c, "padding_idx"));
  });
}

TorchTally glu() {
  return all_of<GLU>("GLU", [](const TorchCase& c) { return GLU(c.get("dim", -1)); });
}

TorchLayers all_layers() {
  TorchLayers all = {{"Embedding", embedding},
                     {"GLU", glu},
                     {"LayerNorm", layer_norm},
                     {"Linear", linear},
                     {"RMSNorm", rms_norm}};
  for (TorchLayers more :
       {torch_attention_layers(), torch_recurrent_layers(), torch_transformer_layers()})
    all.merge(more);
  return all;
}

}  // namespace

TEST_CASE("layers give PyTorch's values and derivatives") {
  std::string table = torch_table_heading("layer against PyTorch");
  TorchTally all;
  const TorchLayers layers = all_layers();
  std::set<std::string> compared;
  for (const auto& [name, check] : layers) {
    INFO(name);
    compared.insert(name);
    const TorchTally tally = check();
    CHECK(tally.cases >= 2);
    // Of all tensors together: without allowance for luck.
    CHECK(tally.single <= times_torch() * tally.own);
    table += torch_table_row(name, tally);
    all += tally;
  }
  table += torch_table_row(fmt::format("{} layers", layers.size()), all);
  table += torch_table_missing(declared_layers(), compared, kReasons);
  write_report("torch_layers", table);
  CHECK(torch_cases("attention").size() <= 60);
  CHECK(std::filesystem::file_size(test_data("attention.safetensors")) <= 2'000'000);
}
