// Kernels, timed alone by Google Benchmark, at the sizes of the training cases in weft_bench.cpp.
// Rates: FLOP/s for products and attention, elements/s for the rest.
#include <benchmark/benchmark.h>
#include <weft/core/blas.h>
#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/core/kernels/softmax.h>
#include <weft/core/random.h>

#include <vector>

namespace {

using namespace weft;
using benchmark::Counter;
using benchmark::State;

std::vector<float> numbers(int64_t n, uint64_t seed = 1) {
  Generator gen(seed);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(gen.uniform() - 0.5);
  return v;
}

void count_flops(State& state, double each) {
  state.counters["FLOP/s"] =
      Counter(each * static_cast<double>(state.iterations()), Counter::kIsRate);
}

void count_elements(State& state, int64_t n) { state.SetItemsProcessed(state.iterations() * n); }

// Arguments: transposes (1: A, 2: B), m, n, k. The three products of a linear layer.
void bench_gemm(State& state) {
  const bool ta = state.range(0) & 1, tb = state.range(0) & 2;
  const int64_t m = state.range(1), n = state.range(2), k = state.range(3);
  const auto a = numbers(m * k), b = numbers(k * n, 2);
  std::vector<float> c(static_cast<size_t>(m * n));
  for (auto _ : state)
    gemm<float>(ta, tb, m, n, k, 1, a.data(), ta ? m : k, b.data(), tb ? k : n, 0, c.data(), n);
  count_flops(state,
              2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}
BENCHMARK(bench_gemm)
    ->UseRealTime()
    ->Args({2, 1024, 2048, 512})
    ->Args({0, 1024, 512, 2048})
    ->Args({1, 2048, 512, 1024})
    ->Args({2, 2048, 256, 256})
    ->Args({2, 512, 8000, 256})
    ->Args({2, 160, 96, 32})
    ->Args({2, 10, 10, 16});

// Arguments: batch, heads, Tq, Tk, width of a head, dropout in percent.
struct AttentionBench {
  explicit AttentionBench(const State& s) {
    a.batch = s.range(0), a.heads = s.range(1), a.queries = s.range(2), a.keys = s.range(3);
    a.width = a.value_width = s.range(4);
    a.dropout = static_cast<double>(s.range(5)) / 100;
    const int64_t model = a.heads * a.width;
    q = numbers(a.batch * a.queries * model), k = numbers(a.batch * a.keys * model, 2);
    v = numbers(a.batch * a.keys * model, 3), dy = numbers(a.batch * a.queries * model, 4);
    y = dq = dy, dk = dv = k;
    top.resize(static_cast<size_t>(a.batch * a.heads * a.queries));
    inverse.resize(top.size());
    a.q = q.data(), a.k = k.data(), a.v = v.data();
    a.q_at = {a.queries * model, a.width, model};
    a.k_at = a.v_at = {a.keys * model, a.width, model};
    g.y = y.data(), g.top = top.data(), g.inverse = inverse.data(), g.dy = dy.data(),
    g.dq = dq.data(), g.dk = dk.data();
    g.dv = dv.data(), g.y_at = g.dy_at = g.dq_at = a.q_at, g.dk_at = g.dv_at = a.k_at;
  }
  void forward() { kernels::attention(a, y.data(), a.q_at, {top.data(), inverse.data()}); }
  void backward() { kernels::attention_grad(a, g); }
  double flops(double products) const {
    return 2 * products * static_cast<double>(a.batch * a.heads * a.queries * a.keys * a.width);
  }

  kernels::Attention<float> a;
  kernels::AttentionGrad<float> g;
  std::vector<float> q, k, v, dy, y, top, inverse, dq, dk, dv;
};

void bench_attention(State& state) {
  AttentionBench b(state);
  for (auto _ : state) b.forward();
  count_flops(state, b.flops(2));
}

void bench_attention_grad(State& state) {
  AttentionBench b(state);
  b.forward();
  for (auto _ : state) b.backward();
  count_flops(state, b.flops(5));
}

void attention_sizes(benchmark::internal::Benchmark* b) {
  b->UseRealTime();
  for (int64_t dropout : {0, 10}) {
    b->Args({32, 8, 64, 128, 64, dropout});
    b->Args({1, 8, 2048, 2048, 64, dropout});
    b->Args({128, 4, 16, 16, 32, dropout});
  }
}
BENCHMARK(bench_attention)->Apply(attention_sizes);
BENCHMARK(bench_attention_grad)->Apply(attention_sizes);

// The rest: one thread, 256 rows of 512.
constexpr int64_t kRows = 256, kWidth = 512, kSize = kRows * kWidth;

template <kernels::Unary op>
void bench_unary(State& state) {
  const auto x = numbers(kSize);
  auto y = x;
  for (auto _ : state) kernels::unary<float>(op, x.data(), 1, y.data(), kSize);
  count_elements(state, kSize);
}
BENCHMARK_TEMPLATE(bench_unary, kernels::Unary::exp);
BENCHMARK_TEMPLATE(bench_unary, kernels::Unary::tanh);
BENCHMARK_TEMPLATE(bench_unary, kernels::Unary::gelu);

void bench_dropout(State& state) {
  const auto x = numbers(kSize);
  auto y = x;
  for (auto _ : state) kernels::dropout<float>(x.data(), y.data(), 0, kSize, 0.1, RandomKey{1, 0});
  count_elements(state, kSize);
}
BENCHMARK(bench_dropout);

void bench_softmax(State& state) {
  const auto x = numbers(kSize);
  auto y = x;
  for (auto _ : state) kernels::softmax_rows<float>(x.data(), y.data(), kRows, kWidth);
  count_elements(state, kSize);
}
BENCHMARK(bench_softmax);

void bench_layer_norm(State& state) {
  const auto x = numbers(kSize), gamma = numbers(kWidth, 2), beta = numbers(kWidth, 3);
  auto y = x;
  std::vector<kernels::RowMoments<float>> moments(kRows);
  for (auto _ : state)
    kernels::layer_norm_rows<float>(x.data(), gamma.data(), beta.data(), 1e-5, y.data(),
                                    moments.data(), kRows, kWidth);
  count_elements(state, kSize);
}
BENCHMARK(bench_layer_norm);

void bench_adam(State& state) {
  auto p = numbers(kSize), m = numbers(kSize, 3), v = m;
  const auto g = numbers(kSize, 2);
  for (float& x : v) x *= x;
  for (auto _ : state)
    kernels::adam_update<float>(kernels::AdamStep{}, p.data(), g.data(), m.data(), v.data(),
                                nullptr, kSize);
  count_elements(state, kSize);
}
BENCHMARK(bench_adam);

}  // namespace

BENCHMARK_MAIN();
