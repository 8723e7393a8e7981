// Ops, timed alone by Google Benchmark, at the sizes of train_small in weft_bench.cpp: forward, as
// training records it, and forward with the gradients of all inputs. Counters, per call:
// allocations asked of the allocator, misses (those its cache could not serve), and peak, the most
// bytes in use at a time beyond the inputs.
#include <benchmark/benchmark.h>
#include <weft/core/allocator.h>
#include <weft/weft.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace weft;
using benchmark::Counter;
using benchmark::State;

struct OpCase {
  const char* name;
  std::vector<Shape> shapes;  // of the inputs, all of which require gradients
  TensorFunction op;
};

constexpr int64_t kBatch = 64, kLength = 32, kModel = 256, kHidden = 1024, kHeads = 8;
constexpr int64_t kVocabulary = 8000, kHeadWidth = kModel / kHeads;

Tensor ids() {
  Generator gen(1);
  return randint(kVocabulary, {kBatch, kLength}, gen);
}

const Shape one{1}, width{kModel}, states{kBatch, kLength, kModel};
const Shape hidden{kBatch, kLength, kHidden}, heads{kBatch, kHeads, kLength, kHeadWidth};
const Shape table{kVocabulary, kModel}, logits{kBatch, kLength, kVocabulary};
const Shape long_heads{1, 8, 1024, 64}, long_bias{8, 1024, 1024};
const RandomKey key{1, 0};
using In = const Tensors&;

std::vector<OpCase> op_cases() {
  return {
      {"mul one element by a number", {one}, [](In in) { return in[0] * 1.0001; }},
      {"add", {states, states}, [](In in) { return in[0] + in[1]; }},
      {"add a row", {states, width}, [](In in) { return in[0] + in[1]; }},
      {"mul", {states, states}, [](In in) { return in[0] * in[1]; }},
      {"mul by a number", {states}, [](In in) { return in[0] * 16; }},
      {"relu", {hidden}, [](In in) { return relu(in[0]); }},
      {"gelu", {hidden}, [](In in) { return gelu(in[0]); }},
      {"tanh", {states}, [](In in) { return tanh(in[0]); }},
      {"exp", {states}, [](In in) { return exp(in[0]); }},
      {"sum", {states}, [](In in) { return sum(in[0]); }},
      {"sum to a row", {states}, [](In in) { return sum_to(in[0], {kModel}); }},
      {"reshape",
       {states},
       [](In in) {
         return reshape(in[0], {kBatch * kLength, kModel});
       }},
      {"transpose", {heads}, [](In in) { return transpose(in[0], 1, 2); }},
      {"transpose, contiguous", {heads}, [](In in) { return contiguous(transpose(in[0], 1, 2)); }},
      {"slice", {states}, [](In in) { return slice(in[0], 2, 0, kModel / 2); }},
      {"cat", {states, states}, [](In in) { return cat(in, 2); }},
      {"embedding", {table}, [id = ids()](In in) { return embedding(id, in[0]); }},
      {"matmul, batched",
       {heads, heads},
       [](In in) { return matmul(in[0], transpose(in[1], 2, 3)); }},
      {"linear, square",
       {states, {kModel, kModel}, width},
       [](In in) { return linear(in[0], in[1], in[2]); }},
      {"linear, expanding",
       {states, {kHidden, kModel}, {kHidden}},
       [](In in) { return linear(in[0], in[1], in[2]); }},
      {"linear, contracting",
       {hidden, {kModel, kHidden}, width},
       [](In in) { return linear(in[0], in[1], in[2]); }},
      {"softmax", {{kBatch, kHeads, kLength, kLength}}, [](In in) { return softmax(in[0], -1); }},
      {"layer_norm", {states, width, width}, [](In in) { return layer_norm(in[0], in[1], in[2]); }},
      {"dropout", {states}, [](In in) { return dropout(in[0], 0.1, key); }},
      {"cross_entropy",
       {logits},
       [id = ids()](In in) { return cross_entropy(in[0], id, {.label_smoothing = 0.1}); }},
      {"linear_cross_entropy",
       {states, table, {kVocabulary}},
       [id = ids()](In in) {
         return linear_cross_entropy(in[0], in[1], in[2], id, {.label_smoothing = 0.1});
       }},
      {"linear_r_drop",
       {states, states, table, {kVocabulary}},
       [id = ids()](In in) {
         return linear_r_drop(in[0], in[1], in[2], in[3], id, 5, {.label_smoothing = 0.1});
       }},
  };
}

std::vector<OpCase> attention_cases() {
  return {
      {"attention",
       {heads, heads, heads},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2]); }},
      {"attention, dropout",
       {heads, heads, heads},
       [](In in) {
         return scaled_dot_product_attention(in[0], in[1], in[2], {.dropout = 0.1, .key = key});
       }},
      {"attention, causal",
       {heads, heads, heads},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.causal = true}); }},
      {"attention, with weights",
       {heads, heads, heads},
       [](In in) { return attention_with_weights(in[0], in[1], in[2]).output; }},
      {"long attention",
       {long_heads, long_heads, long_heads},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2]); }},
      {"long attention, dropout",
       {long_heads, long_heads, long_heads},
       [](In in) {
         return scaled_dot_product_attention(in[0], in[1], in[2], {.dropout = 0.1, .key = key});
       }},
      {"long attention, a bias that learns",
       {long_heads, long_heads, long_heads, long_bias},
       [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = in[3]}); }},
      {"long attention, with weights",
       {long_heads, long_heads, long_heads},
       [](In in) { return attention_with_weights(in[0], in[1], in[2]).output; }},
      {"long attention, through weights",
       {long_heads, long_heads, long_heads},
       [](In in) {
         const auto found = attention_with_weights(in[0], in[1], in[2]);
         return Tensors{found.output, found.weights};
       }},
  };
}

Tensors random_inputs(const OpCase& c) {
  Generator gen(2);
  Tensors inputs;
  for (const Shape& shape : c.shapes) {
    inputs.push_back(randn(shape, gen));
    inputs.back().set_requires_grad();
  }
  return inputs;
}

// Times `call` and reports what it asked of the allocator.
void measure(State& state, const std::function<void()>& call) {
  call();  // the cache fills
  reset_peak();
  const AllocatorStats before = allocator_stats();
  for (auto _ : state) call();
  const AllocatorStats after = allocator_stats();
  auto per_call = [](uint64_t n) {
    return Counter(static_cast<double>(n), Counter::kAvgIterations);
  };
  state.counters["allocations"] = per_call(after.allocations - before.allocations);
  state.counters["misses"] = per_call(after.system_calls - before.system_calls);
  state.counters["peak"] = Counter(static_cast<double>(after.peak_in_use - before.bytes_in_use),
                                   Counter::kDefaults, Counter::kIs1024);
}

void forward(State& state, const OpCase& c) {
  const Tensors inputs = random_inputs(c);
  measure(state, [&] { benchmark::DoNotOptimize(c.op(inputs)); });
}

void forward_backward(State& state, const OpCase& c) {
  const Tensors inputs = random_inputs(c);
  Generator gen(3);
  Tensors dy;
  for (const Tensor& y : c.op(inputs)) dy.push_back(randn(y.shape(), gen));
  measure(state, [&] { grad(c.op(inputs), inputs, {.grad_outputs = dy}); });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  auto add = [](const OpCase& c, const char* pass, void (*run)(State&, const OpCase&)) {
    benchmark::RegisterBenchmark((std::string(c.name) + pass).c_str(),
                                 [c, run](State& state) { run(state, c); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  std::vector<OpCase> cases = op_cases();
  std::ranges::move(attention_cases(), std::back_inserter(cases));
  for (const OpCase& c : cases) {
    add(c, ": forward", forward);
    add(c, ": forward, backward", forward_backward);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
