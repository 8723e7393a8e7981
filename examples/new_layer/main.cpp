// A layer of your own: gated cross-attention whose heads learn how sharply they look. It is checked
// by one line, then learns to read a memory backwards, for every other query.
#include <weft/weft.h>

#include <cmath>
#include <cstdio>

using namespace weft;

namespace {

// y = x + sigmoid(W_g x) * W_o [head_1 ... head_H],
// head_h = softmax(e^{s_h} q_h k_h^T / sqrt(Dh)) v_h, with e^-s_h the temperature of head h.
class GatedCrossAttention : public Layer<GatedCrossAttention> {
 public:
  GatedCrossAttention(int64_t width, int64_t heads, Generator gen)
      : sharpness(parameter("sharpness", zeros({heads, 1, 1}))),
        gate(child<Linear>("gate", width, width, gen)),
        queries(child<Linear>("queries", width, width, gen)),
        memory_kv(child<Linear>("memory", width, 2 * width, gen)),
        out(child<Linear>("output", width, width, gen)) {}

  // x [B, Tq, D], memory [B, Tk, D] -> output [B, Tq, D], weights [B, H, Tq, Tk]
  AttentionResult forward(const Tensor& x, const Tensor& memory) {
    const int64_t heads = sharpness.size(0);
    const Tensors kv = split(memory_kv(memory), x.size(2), -1);
    const AttentionWithWeights found =
        attention_with_weights(split_heads(queries(x), heads) * exp(sharpness),
                               split_heads(kv[0], heads), split_heads(kv[1], heads));
    return {x + sigmoid(gate(x)) * out(merge_heads(found.output)), found.weights};
  }

  Tensor sharpness;  // s [H, 1, 1]
  Linear &gate, &queries, &memory_kv, &out;
};

}  // namespace

int main() {
  Generator gen(1);
  const ModuleReport report =
      check_module([] { return GatedCrossAttention(4, 2, Generator(1)); },
                   {randn({2, 3, 4}, gen, kFloat64), randn({2, 5, 4}, gen, kFloat64)});
  for (const std::string& failure : report.failures) std::puts(failure.c_str());
  std::printf("%d slopes: %zu failures\n", report.gradients[0], report.failures.size());

  // Query i of 8 wants the content of place 7 - i if i is even, and nothing if it is odd.
  constexpr int64_t kBatch = 16, kLength = 8, kWidth = 16;
  GatedCrossAttention layer(kWidth, 2, gen);
  AdamW optimizer(layer.named_parameters(), {.lr = 0.01});
  const Tensor places = expand(randn({kLength, kWidth}, gen) * 2, {kBatch, kLength, kWidth});
  const Tensor even = reshape(tensor({1, 0, 1, 0, 1, 0, 1, 0}), {kLength, 1});
  AttentionResult result;
  for (int step = 0; step <= 400; ++step) {
    const Tensor content = randn({kBatch, kLength, kWidth}, gen);
    result = layer(places, places + content);
    const Tensor loss = mse_loss(result.output, places + flip(content, {1}) * even);
    if (step % 200 == 0) std::printf("step %3d: loss %.2f\n", step, loss.item());
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }

  std::puts("\nhead 0            head 1            gate");
  constexpr const char* kShades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  const Tensor weights = mean(result.weights, {0});  // [H, Tq, Tk]
  const Tensor gates = mean(sigmoid(layer.gate(places)), {0, 2});
  for (int64_t i = 0; i < kLength; ++i) {
    for (int64_t h : {0, 1})
      for (int64_t j = 0; j < kLength; ++j)
        std::printf("%s%s", kShades[std::lround(4 * weights.at({h, i, j}))], j < 7 ? "" : "  ");
    std::printf("%.2f\n", gates.at({i}));
  }
  const Tensor t = exp(-layer.sharpness);
  std::printf("temperature %.2f  temperature %.2f\n", t.at({0, 0, 0}), t.at({1, 0, 0}));
  return report.failures.empty() ? 0 : 1;
}
