// A model that PyTorch trained: weights of attention, their gradients and relevance are those of
// PyTorch's own autograd.
#include <weft/nn/embedding.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>
#include <weft/tests/places.h>

#include <string>

using namespace weft;

namespace {

constexpr int64_t kWidth = 16, kPad = 0;

// The module that scripts/fixtures/trained.py trains.
class Reverser : public Layer<Reverser> {
 public:
  explicit Reverser(const SafetensorsFile& trained)
      : embedding(child<Embedding>("embedding", trained.at("param.embedding.weight").size(0),
                                   kWidth, Generator(1))),
        transformer(child<Transformer>("transformer",
                                       TransformerOptions{.layer = {.d_model = kWidth,
                                                                    .nhead = 2,
                                                                    .dim_feedforward = 32,
                                                                    .dropout = 0,
                                                                    .batch_first = true},
                                                          .num_encoder_layers = 2,
                                                          .num_decoder_layers = 2},
                                       Generator(2))),
        positions_(trained.at("output.positions")) {
    to(kFloat64);
    NamedTensors parameters;
    for (const NamedTensor& t : trained.tensors)
      if (t.name.starts_with("param.")) parameters.push_back({t.name.substr(6), t.tensor});
    load_state_dict(parameters);
  }

  Tensor forward(const Tensor& src, const Tensor& tgt, AttentionTrace* trace) {
    const Mask sources = Mask::from_torch_key_padding(eq(src, kPad));
    const Tensor hidden = transformer(
        embed(src), embed(tgt),
        {.src_mask = sources, .tgt_mask = Mask::causal(), .memory_mask = sources, .trace = trace});
    return linear(hidden, embedding.weight);
  }

  Embedding& embedding;
  Transformer& transformer;

 private:
  Tensor embed(const Tensor& ids) {
    return embedding(ids) * std::sqrt(kWidth) + slice(positions_, 0, 0, ids.size(1));
  }
  Tensor positions_;
};

struct Places {
  const char* name;
  const Tensors& found;
};

}  // namespace

TEST_CASE("a model that PyTorch trained has PyTorch's weights, their gradients and relevance") {
  const SafetensorsFile torch = load_safetensors(test_data("trained_attention.safetensors"));
  Reverser model(torch);
  const Tensor src = torch.at("input.src"), tgt = torch.at("input.tgt");
  AttentionTrace trace;
  const Tensor logits = model(src, contiguous(slice(tgt, 1, 0, -1)), &trace);
  CHECK(largest_difference(logits, torch.at("output.logits")) < kClose);

  const Tensor next = contiguous(slice(tgt, 1, 1));
  const Tensor chosen = squeeze(gather(logits, -1, unsqueeze(next, -1)), -1);
  const Tensor score = sum(chosen * to(logical_not(eq(next, kPad)), kFloat64));
  const AttentionTrace gradients = attention_gradients(score, trace);
  const auto check_all = [&](const std::string& what, const AttentionTrace& found) {
    for (const auto& [place, tensors] :
         {Places{"encoder", found.encoder}, {"decoder", found.decoder}, {"cross", found.cross}})
      for (size_t layer = 0; layer < 2; ++layer) {
        const std::string name = "output." + what + "." + place + "." + std::to_string(layer);
        CAPTURE(name);
        CHECK(largest_difference(tensors.at(layer), torch.at(name)) < kClose);
      }
  };
  check_all("weights", trace);
  check_all("gradients", gradients);

  const Relevance r = relevance(trace, gradients);
  CHECK(largest_difference(r.encoder, torch.at("output.relevance.encoder")) < kClose);
  CHECK(largest_difference(r.decoder, torch.at("output.relevance.decoder")) < kClose);
  CHECK(largest_difference(r.cross, torch.at("output.relevance.cross")) < kClose);
}
