// The Hessian of |output - target|^2 / 2 with respect to the queries of a cross-attention layer,
// timed on the fixture that the tests compare with PyTorch's; bench/hessian.py times PyTorch.
// usage: hessian_bench tests/fixtures/attention_hessian.safetensors
#include <fmt/core.h>
#include <weft/weft.h>

#include <algorithm>
#include <chrono>
#include <functional>

namespace {

using namespace weft;

constexpr int kRuns = 101;

double median_ms(const std::function<void()>& f) {
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - start;
    times.push_back(taken.count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

void run(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  attention.load_state_dict(load_safetensors(path, "param.").tensors);
  const Tensor memory = file.at("input.memory"), target = file.at("input.target");

  auto losses = [&](const Tensor& query) {  // [B, 8, 4] -> [B]
    const Tensor keys = expand(memory, {query.size(0), -1, -1});
    return sum(pow(attention(query, keys, keys).output - target, 2), {1, 2}) * 0.5;
  };
  const Tensor query = file.at("input.query"), expected = file.at("output.hessian");
  NoGrad no_grad;
  auto time = [&](const char* method, const std::function<Tensor()>& f) {
    const double error = max(abs(reshape(f(), {-1}) - reshape(expected, {-1}))).item();
    fmt::print("{{\"method\": \"{}\", \"ms\": {:.3f}, \"largest_difference\": {:.1e}}}\n", method,
               median_ms(f), error);
  };
  time("hessian, a row at a time", [&] { return hessian(losses, query); });
  time("hessian, batched, 32 rows at a time",
       [&] { return hessian(losses, query, {.batched = true, .chunk_size = 32}); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: hessian_bench tests/fixtures/attention_hessian.safetensors\n");
    return 2;
  }
  run(argv[1]);
}
