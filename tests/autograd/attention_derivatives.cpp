// jvp and double backward through fused attention: masks, dropout made again from its key, Tq !=
// Tk.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

Tensor normal(const Shape& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, generator, kFloat64);
}

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a.detach() - b.detach())).item();
}

// `parts` views [2, 2, 3, 4] of one projection, whose gradient goes to `joined`.
Tensors packed_heads(int64_t parts, uint64_t seed, Tensor* joined = nullptr) {
  Tensor x = normal({2, 3, parts * 2, 4}, seed).set_requires_grad() * 1.0;
  if (joined) x.register_hook([joined](const Tensor& g) { return *joined = g; });
  Tensors heads = split(x, 2, 2);
  for (Tensor& t : heads) t = permute(t, {0, 2, 1, 3});
  return heads;
}

// The gradients of queries, keys and values as attention hands them on.
Tensors handed_on(Tensors in) {
  Tensors seen(3);
  for (size_t i = 0; i < 3; ++i)
    in[i].register_hook([&seen, i](const Tensor& g) { return seen[i] = g; });
  sum(pow(scaled_dot_product_attention(in[0], in[1], in[2]), 2)).backward();
  return seen;
}

bool one_behind_another(const Tensor& a, const Tensor& b) {
  const auto row = a.size(1) * a.size(3);
  return a.same_storage(b) && a.strides() == b.strides() &&
         b.data<double>() - a.data<double>() == row;
}

struct Setting {
  std::string name;
  AttentionOptions options;
  int64_t queries, keys;

  /// q [2, 2, Tq, 3], k [2, 2, Tk, 3], v [2, 2, Tk, 4]
  Tensors operands(uint64_t seed) const {
    return {normal({2, 2, queries, 3}, seed), normal({2, 2, keys, 3}, seed + 1),
            normal({2, 2, keys, 4}, seed + 2)};
  }
};

// Each mask with and without dropout, more keys than queries and fewer.
std::vector<Setting> settings() {
  const Tensor sparse = tensor({{true, false, true, true, false},
                                {false, false, false, false, false},
                                {true, true, true, true, true}});
  const Tensor padding =
      tensor({{true, true, true, true, true}, {true, true, false, false, false}});
  const Tensor additive = tensor(
      {{0.5, kHidden, 1., -2., 0.}, {0., 1., 0., kHidden, kHidden}, {0.25, 0., kHidden, 0., 0.125}},
      kFloat64);
  std::vector<Setting> all;
  for (const double p : {0.0, 0.4}) {
    const AttentionOptions plain{.dropout = p, .key = {9, 0}};
    auto add = [&](const char* name, const Tensor& mask, bool causal, int64_t tq, int64_t tk) {
      AttentionOptions o = plain;
      o.mask = mask;
      o.causal = causal;
      all.push_back({fmt::format("{}, dropout {}", name, p), o, tq, tk});
    };
    add("no mask, more keys", {}, false, 3, 5);
    add("no mask, fewer keys", {}, false, 4, 2);
    add("a query that sees nothing", sparse, false, 3, 5);
    add("padding", reshape(padding, {2, 1, 1, 5}), false, 3, 5);
    add("additive", additive, false, 3, 5);
    add("causal", {}, true, 3, 5);
    add("causal, fewer keys", {}, true, 4, 2);
    add("causal and padding", reshape(padding, {2, 1, 1, 5}), true, 3, 5);
  }
  return all;
}

// The same by its formula; what dropout keeps is seen by dropping from ones.
Tensor by_formula(const Tensors& in, const AttentionOptions& o) {
  const int64_t tq = in[0].size(2), tk = in[1].size(2);
  Tensor scores = matmul(in[0], transpose(in[1], 2, 3)) / std::sqrt(3.0);  // [B, H, Tq, Tk]
  Tensor allowed = o.causal ? tril(ones({tq, tk})) : ones({tq, tk});
  if (o.mask.defined() && o.mask.dtype() == kBool) allowed = allowed * to(o.mask, kFloat32);
  if (o.mask.defined() && o.mask.dtype() != kBool) {
    allowed = allowed * to(gt(o.mask, kHidden), kFloat32);
    scores = scores + clamp(o.mask, -1e9);
  }
  const Tensor seen = expand(gt(allowed, 0), scores.shape());
  const Tensor weights = exp(scores) * to(seen, kFloat64);
  const Tensor total = sum(weights, {-1}, true);
  const Tensor kept = dropout(ones(scores.shape(), kFloat64), o.dropout, o.key);
  return matmul(weights / where(gt(total, 0), total, ones({}, kFloat64)) * kept, in[2]);
}

TensorFunction attention(const Setting& s) {
  return [o = s.options](const Tensors& in) {
    return scaled_dot_product_attention(in[0], in[1], in[2], o);
  };
}

TensorFunction formula(const Setting& s) {
  return [o = s.options](const Tensors& in) { return by_formula(in, o); };
}

}  // namespace

TEST_CASE("jvp of fused attention equals differences, and its formula's") {
  constexpr double kStep = 1e-6;
  for (const Setting& s : settings()) {
    INFO(s.name);
    const Tensors x = s.operands(1), v = s.operands(7);
    auto at = [&](double step) {
      Tensors moved = x;
      for (size_t i = 0; i < x.size(); ++i) moved[i] = x[i] + v[i] * step;
      return attention(s)(moved)[0];
    };
    const Tensor tangent = jvp(attention(s), x, v)[0];
    CHECK(distance(tangent, (at(kStep) - at(-kStep)) / (2 * kStep)) < 1e-8);
    CHECK(distance(tangent, jvp(formula(s), x, v)[0]) < 1e-13);
    NoGrad no_grad;
    CHECK(distance(jvp(attention(s), x, v)[0], tangent) < 1e-14);
  }
}

TEST_CASE("double backward through fused attention equals its formula's") {
  for (const Setting& s : settings()) {
    INFO(s.name);
    const Tensors x = s.operands(1), v = s.operands(7);
    auto energy = [](const TensorFunction& f) {
      return [f](const Tensors& in) { return sum(pow(f(in)[0], 3)); };
    };
    const Tensors fused = hvp(energy(attention(s)), x, v), expected = hvp(energy(formula(s)), x, v);
    for (size_t i = 0; i < x.size(); ++i) CHECK(distance(fused[i], expected[i]) < 1e-12);
    auto slope = [&](const Tensors& in) {
      return value_and_grad(energy(attention(s)), in).gradients;
    };
    const Tensors forward = jvp(slope, x, v);  // forward over reverse
    for (size_t i = 0; i < x.size(); ++i) CHECK(distance(forward[i], expected[i]) < 1e-12);
  }
}

TEST_CASE("a query that may attend to nothing has no derivative of any order") {
  for (const Setting& s : settings()) {
    if (s.name.rfind("a query that sees nothing", 0) != 0) continue;
    const Tensors x = s.operands(1), v = s.operands(7);
    const Tensor tangent = jvp(attention(s), x, v)[0];
    CHECK(max(abs(select(tangent, 2, 1))).item() == 0);
    auto energy = [&](const Tensors& in) { return sum(pow(attention(s)(in)[0], 3)); };
    CHECK(max(abs(select(hvp(energy, x, v)[0], 2, 1))).item() == 0);
  }
}

TEST_CASE("gradients of packed projections are packed, so that nothing has to join them") {
  Tensor joined;
  const Tensors all = handed_on(packed_heads(3, 1, &joined));
  CHECK(joined.same_storage(all[0]));
  CHECK(one_behind_another(all[0], all[1]));
  CHECK(one_behind_another(all[1], all[2]));
  const Tensors memory = packed_heads(2, 2);
  const Tensors two = handed_on({packed_heads(1, 3)[0], memory[0], memory[1]});
  CHECK(one_behind_another(two[1], two[2]));
  CHECK_FALSE(two[0].same_storage(two[1]));
  const Tensors none =
      handed_on({packed_heads(1, 4)[0], packed_heads(1, 5)[0], packed_heads(1, 6)[0]});
  CHECK_FALSE(none[0].same_storage(none[1]));
  CHECK_FALSE(none[1].same_storage(none[2]));
}
