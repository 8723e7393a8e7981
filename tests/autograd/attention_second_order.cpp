// Second order of fused attention across its blocks: equal to the composition's, by every operand,
// and with memory that is linear in the lengths.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/core/allocator.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <cstring>

using namespace weft;

namespace {

struct Setting {
  const char* name;
  Shape bias;  // of the additive mask, which learns; rank 0: none
  bool padding, causal;
  double dropout;
};

const std::vector<Setting> kSettings = {
    {"plain", {}, false, false, 0},
    {"causal", {}, false, true, 0},
    {"padding", {}, true, false, 0},
    {"padding, causal, dropout", {}, true, true, 0.3},
    {"dropout", {}, false, false, 0.3},
    {"bias", {1, 2, -1, -1}, false, false, 0},
    {"bias per key, causal", {2, 1, 1, -1}, false, true, 0},
    {"bias, causal, dropout", {-1, -1}, false, true, 0.3},
};

Tensor normal(const Shape& shape, uint64_t seed, DType dtype) {
  Generator generator(seed);
  return randn(shape, generator, dtype);
}

// A shape with -1 in the place of Tq and, last, of Tk.
Shape filled_in(Shape shape, int64_t tq, int64_t tk) {
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d] < 0) shape[d] = d == shape.rank() - 1 ? tk : tq;
  return shape;
}

// A call for q, k, v and perhaps a bias; the loss bends y, so that its gradient moves too.
struct Call {
  Setting setting;
  int64_t tq, tk;
  DType dtype = kFloat64;

  // Heads side by side, as a projection leaves them; a bias hides key 1 (see options).
  Tensors operands(uint64_t seed) const {
    auto heads = [&](int64_t length, int64_t width, uint64_t s) {
      return permute(normal({2, length, 2, width}, s, dtype), {0, 2, 1, 3});
    };
    Tensors all{heads(tq, 9, seed), heads(tk, 9, seed + 1), heads(tk, 6, seed + 2)};
    if (setting.bias.rank() > 0)
      all.push_back(normal(filled_in(setting.bias, tq, tk), seed + 3, dtype));
    return all;
  }
  AttentionOptions options(const Tensors& in) const {
    AttentionOptions o{.causal = setting.causal, .dropout = setting.dropout, .key = {9, 4}};
    if (setting.padding) {
      const Tensor lengths = tensor({{0.75}, {0.3}}) * static_cast<double>(tk);
      o.mask = reshape(lt(unsqueeze(to(arange(tk), kFloat32), 0), lengths), {2, 1, 1, tk});
    }
    if (in.size() > 3) {
      const Tensor hole = eq(arange(tk), 1);
      o.mask = masked_fill(in[3], hole, -std::numeric_limits<double>::infinity());
    }
    return o;
  }
  Tensor loss(const Tensors& in, bool fused) const {
    const AttentionOptions o = options(in);
    const Tensor y = fused ? scaled_dot_product_attention(in[0], in[1], in[2], o)
                           : attention_with_weights(in[0], in[1], in[2], o).output;
    return sum(y * y * y);
  }
  Tensors hvp(bool fused) const {
    return weft::hvp([&](const Tensors& in) { return loss(in, fused); }, operands(1), operands(11));
  }
};

void check_close(const Tensors& found, const Tensors& expected, double tolerance) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const Tensor want = expected[i].detach();
    const double scale = max(abs(want)).item();
    CHECK(scale > 0.01);
    CHECK(max(abs(to(found[i].detach(), kFloat64) - want)).item() < tolerance * scale);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = contiguous(a.detach()), y = contiguous(b.detach());
  const auto bytes = static_cast<size_t>(x.numel()) * size_of(x.dtype());
  return x.shape() == y.shape() && std::memcmp(x.raw(), y.raw(), bytes) == 0;
}

}  // namespace

TEST_CASE("second order of fused attention equals the composition's, across blocks") {
  for (const Setting& setting : kSettings)
    for (const auto& [tq, tk] : {std::pair<int64_t, int64_t>{70, 300}, {150, 37}}) {
      INFO(setting.name << ", " << tq << " queries, " << tk << " keys");
      const Tensors expected = Call{setting, tq, tk}.hvp(false);
      const NoGrad plain_numbers;
      check_close(Call{setting, tq, tk}.hvp(true), expected, 1e-12);
    }
}

TEST_CASE("a recorded second order has the same numbers, and a third order through it is right") {
  for (const Setting& setting : kSettings) {
    INFO(setting.name);
    const Call call{setting, 5, 7};
    auto third = [&](bool fused) {
      auto second = [&](const Tensors& in) {
        const Tensors h =
            hvp([&](const Tensors& x) { return call.loss(x, fused); }, in, call.operands(11));
        Tensor total = sum(h[0] * h[0]);
        for (size_t i = 1; i < h.size(); ++i) total = total + sum(h[i] * h[i]);
        return total;
      };
      return value_and_grad(second, call.operands(1)).gradients;
    };
    check_close(third(true), third(false), 1e-11);
  }
}

TEST_CASE("second order of fused attention in float32 is that of float64 to rounding") {
  const NoGrad plain_numbers;
  for (const Setting& setting : kSettings) {
    INFO(setting.name);
    const Call single{setting, 70, 140, kFloat32};
    Tensors at = single.operands(1), along = single.operands(11);
    const Tensors found = hvp([&](const Tensors& in) { return single.loss(in, true); }, at, along);
    for (Tensors* all : {&at, &along})
      for (Tensor& x : *all) x = to(x, kFloat64);
    check_close(found, hvp([&](const Tensors& in) { return single.loss(in, true); }, at, along),
                2e-5);
  }
}

TEST_CASE("second order of fused attention has the same bits at any number of threads") {
  const NoGrad plain_numbers;
  const int before = num_threads();
  const Call call{kSettings[3], 150, 600, kFloat32};  // backward cuts keys: there are few heads
  set_num_threads(1);
  const Tensors one = call.hvp(true);
  for (const int threads : {2, 3, 7}) {
    set_num_threads(threads);
    const Tensors other = call.hvp(true);
    for (size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], other[i]));
  }
  set_num_threads(before);
}

TEST_CASE("memory of second order is linear in the lengths, recorded or not") {
  auto peak = [](int64_t length, bool recorded) {
    const GradMode mode(recorded);
    const Call call{kSettings[0], length, length, kFloat32};
    const Tensors at = call.operands(1), along = call.operands(11);
    reset_peak();
    const size_t before = allocator_stats().bytes_in_use;
    hvp([&](const Tensors& in) { return call.loss(in, true); }, at, along);
    return static_cast<double>(allocator_stats().peak_in_use - before);
  };
  for (const bool recorded : {false, true}) {
    CAPTURE(recorded);
    CHECK(peak(1024, recorded) < 2.2 * peak(512, recorded));
    CHECK(peak(1024, recorded) < 4 * 1024 * 1024 * 4);  // what S of the four heads would take
  }
}
