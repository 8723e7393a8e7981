// Ten training steps of a small translator give PyTorch's losses.
#include <weft/optim/adam.h>
#include <weft/optim/clip.h>
#include <weft/tests/catch.h>
#include <weft/tests/optim/translator.h>
#include <weft/tests/places.h>

#include <string>
#include <utility>

using namespace weft;

namespace {

constexpr int kSteps = 10;

const SafetensorsFile& fixture() {
  static const SafetensorsFile file = load_safetensors(test_data("training_losses.safetensors"));
  return file;
}

TransformerOptions options() {
  return {.layer =
              {.d_model = 16, .nhead = 2, .dim_feedforward = 32, .dropout = 0, .batch_first = true},
          .num_encoder_layers = 1,
          .num_decoder_layers = 1};
}

NamedTensors tensors_under(const std::string& prefix) {
  NamedTensors found;
  for (const NamedTensor& t : fixture().tensors)
    if (t.name.compare(0, prefix.size(), prefix) == 0)
      found.push_back({t.name.substr(prefix.size()), t.tensor});
  return found;
}

std::pair<Tensor, Tensor> batch(int step) {
  const std::string number = std::to_string(step);
  return {fixture().at("input.src." + number), fixture().at("input.tgt." + number)};
}

// The loss on padded rows: tgt[:, :-1] predicts tgt[:, 1:].
Tensor loss_of(Translator& model, int step, bool fused) {
  const auto [src, tgt] = batch(step);
  const Tensor hidden = model(src, slice(tgt, 1, 0, -1)), next = contiguous(slice(tgt, 1, 1));
  const CrossEntropyOptions smoothed{.ignore_index = kPad, .label_smoothing = 0.1};
  if (fused)
    return linear_cross_entropy(hidden, model.output.weight, model.output.bias, next, smoothed);
  return cross_entropy(model.output(hidden), next, smoothed);
}

struct Differences {
  double loss = 0, norm = 0, weight = 0;
};

Differences train(DType dtype, bool fused) {
  const std::string suffix = dtype == kFloat32 ? "_float32" : "";
  const Tensor losses = fixture().at("output.losses" + suffix);
  const Tensor norms = fixture().at("output.gradient_norms" + suffix);
  Translator model(options(), 11, 13, fixture().at("output.positions"), Generator(1));
  model.to(kFloat64);
  model.load_state_dict(tensors_under("param."));
  model.to(dtype);
  Adam adam(model.named_parameters(), {.lr = 1e-2, .beta2 = 0.98, .eps = 1e-9});
  Differences worst;
  for (int step = 0; step < kSteps; ++step) {
    adam.zero_grad();
    const Tensor loss = loss_of(model, step, fused);
    loss.backward();
    const double norm = clip_grad_norm(model.parameters(), 1);
    adam.step();
    worst.loss = std::max(worst.loss, std::abs(loss.item() - losses.at({step})));
    worst.norm = std::max(worst.norm, std::abs(norm - norms.at({step})));
  }
  const SafetensorsFile trained{"trained", model.state_dict(), {}};
  for (const NamedTensor& want : tensors_under("output.param.")) {
    const Tensor got = to(trained.at(want.name), kFloat64);
    worst.weight = std::max(worst.weight, max(abs(got - want.tensor)).item());
  }
  return worst;
}

}  // namespace

TEST_CASE("ten training steps give PyTorch's losses") {
  const bool fused = GENERATE(false, true);
  CAPTURE(fused);
  const Differences exact = train(kFloat64, fused);
  CHECK(exact.loss < 1e-9);
  CHECK(exact.norm < 1e-8);
  CHECK(exact.weight < 1e-7);
  const Differences rounded = train(kFloat32, fused);
  CHECK(rounded.loss < 1e-5);
  CHECK(rounded.norm < 1e-4);
}
