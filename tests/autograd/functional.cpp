// Transforms of functions: values against formulas and finite differences, nesting, shapes, memory,
// and what their errors say.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/core/allocator.h>
#include <weft/tests/catch.h>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }
Tensor reals(std::initializer_list<NestedList> v) { return tensor(v, kFloat64); }

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return a.numel() ? max(abs(a.detach() - b.detach())).item() : 0;
}

Tensor normal(const Shape& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, generator, kFloat64);
}

// Two outputs of two inputs, of different shapes.
Tensors pair(const Tensors& in) {
  const Tensor mixed = matmul(tanh(in[0]), in[1]);
  return {mixed, sum(exp(in[1])) * sum(mixed * mixed)};
}

Tensor energy(const Tensor& x) { return sum(exp(x) * tanh(x)) + pow(sum(x), 3); }

// Attention of x [B, T, 3] on itself, one head.
Tensor attend(const Tensor& x) {
  const Tensor heads = unsqueeze(x, 1);
  return squeeze(scaled_dot_product_attention(heads, heads * 0.7, tanh(heads)), 1);
}

// The Jacobian by finite differences, of shape [outputs, inputs].
Tensor numeric_jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  constexpr double kStep = 1e-6;
  Tensors columns;
  for (int64_t i = 0; i < x.numel(); ++i) {
    auto at = [&](double step) {
      Tensor moved = clone(x.detach());
      moved.mutable_data<double>()[i] += step;
      return reshape(f(moved), {-1}).detach();
    };
    columns.push_back((at(kStep) - at(-kStep)) / (2 * kStep));
  }
  return stack(columns, 1);
}

}  // namespace

TEST_CASE("a function of tensors is any callable on one or several") {
  const Tensor x = reals({1, 2});
  const TensorFunction one = [](const Tensor& t) { return t * 2; };
  const TensorFunction several = [](const Tensors& t) { return t[0] * 3; };
  const TensorFunction split_up = [](const Tensor& t) { return Tensors{t, t * 4}; };
  CHECK(numbers(one({x})[0]) == Numbers{2, 4});
  CHECK(numbers(several({x})[0]) == Numbers{3, 6});
  CHECK(numbers(split_up({x})[1]) == Numbers{4, 8});
  CHECK(message_of([&] { one({x, x}); }) == "a function of one tensor was given 2");
}

TEST_CASE("value_and_grad gives both, zeros for what is not used, and nests") {
  const Tensor x = reals({1, 2}), unused = reals({3});
  auto f = [](const Tensors& in) { return sum(pow(in[0], 3)); };
  const ValueAndGrad r = value_and_grad(f, {x, unused, tensor({1})}, {.allow_unused = true});
  CHECK(r.value.item() == 9);
  CHECK(numbers(r.gradients[0]) == Numbers{3, 12});
  CHECK(numbers(r.gradients[1]) == Numbers{0});
  CHECK_FALSE(r.gradients[2].defined());
  auto slope = [&](const Tensors& in) { return sum(value_and_grad(f, in).gradients[0]); };
  CHECK(numbers(value_and_grad(slope, {x}).gradients[0]) == Numbers{6, 12});
  NoGrad no_grad;
  const ValueAndGrad plain = value_and_grad(f, {x});
  CHECK_FALSE(plain.value.requires_grad());
  CHECK_FALSE(plain.gradients[0].requires_grad());
}

TEST_CASE("a gradient inside a loss reaches parameters that the function only captures") {
  const Tensor w = reals({2, 3}).set_requires_grad(), x = reals({1, 2});
  auto f = [&](const Tensor& t) { return sum(w * t * t); };
  const Tensor penalty = sum(pow(value_and_grad(f, {x}).gradients[0], 2));  // sum of (2 w x)^2
  penalty.backward();
  CHECK(numbers(w.grad()) == Numbers{16, 96});  // 8 w x^2
}

TEST_CASE("jvp is the directional derivative, and the transpose of vjp") {
  const Tensor a = normal({2, 3}, 1), b = normal({3, 2}, 2), u = normal({2, 3}, 3),
               v = normal({3, 2}, 4);
  const Tensors tangents = jvp(pair, {a, b}, {u, v});
  constexpr double kStep = 1e-6;
  const Tensors above = pair({a + u * kStep, b + v * kStep}),
                below = pair({a - u * kStep, b - v * kStep});
  for (size_t i = 0; i < 2; ++i)
    CHECK(distance(tangents[i], (above[i] - below[i]) / (2 * kStep)) < 1e-8);
  const Tensor dy = normal({2, 2}, 5), dz = scalar(0.7, kFloat64);
  const Tensors back = vjp(pair, {a, b}, {dy, dz});
  CHECK((sum(dy * tangents[0]) + dz * tangents[1]).item() ==
        Approx((sum(back[0] * u) + sum(back[1] * v)).item()).epsilon(1e-13));
  const Tensors of_a = jvp(pair, {a, b}, {u, Tensor()});
  CHECK(distance(of_a[0], matmul((1 - pow(tanh(a), 2)) * u, b)) < 1e-14);
}

TEST_CASE("jvp: outputs without tangent, and nesting to the second derivative") {
  const Tensor x = reals({1, 2}), v = reals({1, -1});
  auto f = [](const Tensor& t) { return Tensors{pow(t, 3), zeros({2}, kFloat64), gt(t, 1)}; };
  const Tensors tangents = jvp(f, Tensors{x}, Tensors{v});
  CHECK(numbers(tangents[0]) == Numbers{3, -12});
  CHECK(numbers(tangents[1]) == Numbers{0, 0});
  CHECK_FALSE(tangents[2].defined());
  auto cube = [](const Tensor& t) { return pow(t, 3); };
  auto along = [&](const Tensor& t) { return jvp(cube, t, v); };
  CHECK(numbers(jvp(along, x, v)) == Numbers{6, 12});
  NoGrad no_grad;
  const Tensor plain = jvp(cube, x, v);
  CHECK(numbers(plain) == Numbers{3, -12});
  CHECK_FALSE(plain.requires_grad());
  CHECK(numbers(jvp([](const Tensor& t) { return t; }, x, v)) == Numbers{1, -1});
}

TEST_CASE("jvp names what does not fit") {
  const Tensor x = ones({2, 3});
  auto f = [](const Tensors& in) { return in[0]; };
  CHECK(message_of([&] { jvp(f, {x}, {ones({3})}); }) ==
        "jvp: expected a tangent of the shape and dtype of input 0, [2, 3] float32; got [3] "
        "float32");
  CHECK(message_of([&] {
          jvp(f, {x, tensor({1})}, {x, ones({1})});
        }) ==
        "jvp: expected a tangent of the shape and dtype of input 1, [1] int64; got [1] float32");
  CHECK(message_of([&] { jvp(f, Tensors{x}, Tensors{}); }) ==
        "jvp: expected one tangent for each of 1 inputs; got 0");
}

TEST_CASE("jacobian: every output by every input, in their shapes") {
  const Tensor a = normal({2, 3}, 1), b = normal({3, 2}, 2);
  const auto j = jacobian(pair, {a, b});
  REQUIRE(j.size() == 2);
  CHECK(j[0][0].shape() == Shape{2, 2, 2, 3});
  CHECK(j[0][1].shape() == Shape{2, 2, 3, 2});
  CHECK(j[1][0].shape() == Shape{2, 3});
  for (size_t i : {0u, 1u}) {
    auto of_a = [&](const Tensor& x) { return pair({x, b})[i]; };
    auto of_b = [&](const Tensor& x) { return pair({a, x})[i]; };
    CHECK(distance(reshape(j[i][0], {-1, 6}), numeric_jacobian(of_a, a)) < 1e-8);
    CHECK(distance(reshape(j[i][1], {-1, 6}), numeric_jacobian(of_b, b)) < 1e-8);
  }
}

TEST_CASE("jacobian: unused inputs are zeros, whole numbers have none, and nothing is nothing") {
  const Tensor x = reals({1, 2}), n = tensor({3});
  auto f = [](const Tensors& in) { return Tensors{in[0] * in[0], in[2]}; };
  const auto j = jacobian(f, {x, reals({7}), n}, {.allow_unused = true});
  CHECK(numbers(j[0][0]) == Numbers{2, 0, 0, 4});
  CHECK(numbers(j[0][1]) == Numbers{0, 0});
  CHECK(j[0][1].shape() == Shape{2, 1});
  CHECK_FALSE(j[0][2].defined());
  CHECK_FALSE(j[1][0].defined());
  auto empty = [](const Tensor& t) { return slice(t, 0, 0, 0); };
  CHECK(jacobian(empty, x).shape() == Shape{0, 2});
  NoGrad no_grad;
  CHECK(jacobian(empty, x).shape() == Shape{0, 2});
  CHECK(jacobian([](const Tensor& t) { return sum(t); }, zeros({0, 3})).shape() == Shape{0, 3});
}

TEST_CASE("a batched jacobian is the diagonal of the full one, in chunks of any size") {
  const Tensor x = normal({4, 3, 3}, 1);
  const Tensor full = jacobian(attend, x);  // [4, 3, 3, 4, 3, 3]
  for (const int64_t chunk : {1, 2, 4, 9, 20}) {
    const Tensor rows = jacobian(attend, x, {.batched = true, .chunk_size = chunk});
    CHECK(rows.shape() == Shape{4, 3, 3, 3, 3});
    for (int64_t n = 0; n < 4; ++n) {
      const Tensor own = select(select(full, 0, n), 2, n);
      CHECK(distance(select(rows, 0, n), own) < 1e-14);
    }
    NoGrad no_grad;
    CHECK(distance(jacobian(attend, x, {.batched = true, .chunk_size = chunk}), rows) < 1e-14);
  }
}

TEST_CASE("a jacobian can be differentiated") {
  const Tensor x = reals({0.5, -1, 2}).set_requires_grad();
  auto f = [](const Tensor& t) { return sum(t) * t * t; };
  auto norm = [&](const Tensor& t) { return sum(pow(jacobian(f, t), 2)); };
  const Tensor got = grad(norm(x), x);
  CHECK(distance(reshape(got, {1, 3}), numeric_jacobian(norm, x)) < 1e-7);
  auto rows = [](const Tensor& t) {
    return sum(pow(jacobian(attend, t, {.batched = true, .chunk_size = 2}), 2));
  };
  const Tensor y = normal({2, 2, 3}, 4).set_requires_grad();
  CHECK(distance(reshape(grad(rows(y), y), {1, 12}), numeric_jacobian(rows, y)) < 1e-7);
}

TEST_CASE("a jacobian holds one row's work beside its result, a chunk that of several") {
  NoGrad no_grad;
  const int64_t n = 400;
  const Tensor w = normal({n, n}, 1), x = normal({1, n}, 2);
  auto f = [&](const Tensor& t) { return tanh(matmul(t, w)); };
  auto peak = [&](int64_t chunk) {
    empty_cache();  // a larger block that is at hand counts whole
    reset_peak();
    const size_t before = allocator_stats().bytes_in_use;
    const Tensor j = jacobian(f, x, {.batched = true, .chunk_size = chunk});
    return allocator_stats().peak_in_use - before - static_cast<size_t>(n * n) * sizeof(double);
  };
  const size_t row = static_cast<size_t>(n) * sizeof(double);
  CHECK(peak(1) < 20 * row);
  CHECK(peak(1) < peak(40));
  CHECK(peak(40) < row * 20 * 40);
}

TEST_CASE("hessian: of several inputs, against finite differences, and symmetric") {
  const Tensor x = normal({2, 2}, 1), y = normal({3}, 2);
  auto f = [](const Tensors& in) {
    return energy(in[0]) * sum(sigmoid(in[1])) + sum(pow(in[1], 3));
  };
  const auto h = hessian(f, {x, y, normal({2}, 3)}, {.allow_unused = true});
  CHECK(h[0][1].shape() == Shape{2, 2, 3});
  CHECK(distance(reshape(h[0][1], {4, 3}), transpose(reshape(h[1][0], {3, 4}), 0, 1)) < 1e-13);
  CHECK(numbers(h[2][0]) == Numbers(8, 0.0));
  CHECK(numbers(h[0][2]) == Numbers(8, 0.0));
  auto slope = [&](const Tensor& t) { return value_and_grad(f, {t, y}).gradients[0]; };
  CHECK(distance(reshape(h[0][0], {4, 4}), numeric_jacobian(slope, x)) < 1e-7);
}

TEST_CASE("a batched hessian is each sample's own, in chunks of any size") {
  const Tensor x = normal({3, 2, 3}, 1);
  auto losses = [](const Tensor& t) { return sum(pow(attend(t), 2), {1, 2}); };
  NoGrad no_grad;
  for (const int64_t chunk : {1, 4, 6}) {
    const Tensor h = hessian(losses, x, {.batched = true, .chunk_size = chunk});
    REQUIRE(h.shape() == Shape{3, 2, 3, 2, 3});
    for (int64_t n = 0; n < 3; ++n) {
      auto own = [&](const Tensor& t) { return sum(losses(unsqueeze(t, 0))); };
      CHECK(distance(select(h, 0, n), hessian(own, select(x, 0, n))) < 1e-13);
    }
  }
}

TEST_CASE("hvp is the Hessian times a vector") {
  const Tensor x = normal({2, 3}, 1), v = normal({2, 3}, 2);
  const Tensor h = reshape(hessian(energy, x), {6, 6});
  CHECK(distance(hvp(energy, x, v), reshape(matmul(h, reshape(v, {6})), {2, 3})) < 1e-12);
  CHECK(numbers(hvp([](const Tensor& t) { return sum(t); }, x, v)) == Numbers(6, 0.0));
  const Tensors two = hvp([](const Tensors& in) { return sum(in[0] * in[1]); },
                          {reals({1, 2}), reals({3, 4})}, {reals({1, 0}), Tensor()});
  CHECK(numbers(two[0]) == Numbers{0, 0});
  CHECK(numbers(two[1]) == Numbers{1, 0});
}

TEST_CASE("hvp by forward over reverse equals reverse over reverse") {
  const Tensor x = normal({1, 2, 3}, 1), v = normal({1, 2, 3}, 2);
  auto loss = [](const Tensor& t) { return sum(pow(attend(t), 2)); };
  auto slope = [&](const Tensor& t) { return value_and_grad(loss, {t}).gradients[0]; };
  CHECK(distance(jvp(slope, x, v), hvp(loss, x, v)) < 1e-13);
}

TEST_CASE("gvp is J^T H J v") {
  const Tensor x = normal({4}, 1), v = normal({4}, 2);
  const Tensor w = normal({4, 3}, 3);
  auto model = [&](const Tensor& t) { return tanh(matmul(t, w)) * sum(t); };
  auto loss = [](const Tensor& z) { return logsumexp(z, {0}); };
  const Tensor j = jacobian(model, x), h = hessian(loss, model(x).detach());
  const Tensor expected = matmul(transpose(j, 0, 1), matmul(h, matmul(j, v)));
  const Tensors found = gvp(model, loss, {x}, {v});
  CHECK(distance(found[0], expected) < 1e-13);
  CHECK(sum(found[0] * v).item() > 0);
  auto linear_model = [&](const Tensor& t) { return matmul(t, w); };
  auto both = [&](const Tensor& t) { return loss(linear_model(t)); };
  CHECK(distance(gvp(linear_model, loss, {x}, {v})[0], hvp(both, x, v)) < 1e-13);
  NoGrad no_grad;
  CHECK(distance(gvp(model, loss, {x}, {v})[0], expected) < 1e-13);
}

TEST_CASE("third derivatives of attention equal finite differences of the second") {
  const Tensor x = normal({6}, 1), u = normal({6}, 2);
  auto loss = [](const Tensor& t) { return sum(pow(attend(reshape(t, {1, 2, 3})), 2)); };
  auto second = [&](const Tensor& t) { return hessian(loss, t); };
  const Tensor third = jacobian(second, x);  // [6, 6, 6]
  CHECK(distance(reshape(third, {36, 6}), numeric_jacobian(second, x)) < 1e-7);
  CHECK(distance(third, permute(third, {2, 0, 1})) < 1e-12);
  auto curved = [&](const Tensor& t) { return sum(hvp(loss, t, u) * u); };
  const Tensor along = value_and_grad(curved, {x}).gradients[0];
  CHECK(distance(along, matmul(matmul(third, u), u)) < 1e-12);
}

TEST_CASE("gradients by sample: in one vjp, or with respect to parameters") {
  const Tensor x = normal({4, 3}, 1), w = normal({3, 2}, 2), target = tensor({0, 1, 1, 0});
  auto losses = [](const Tensors& in) {  // each sample has a weight of its own: [4, 3, 2]
    const Tensor logits = squeeze(matmul(unsqueeze(in[0], 1), in[1]), 1);
    return cross_entropy(logits, in[2], {.reduction = Reduction::none});
  };
  const Tensors at_once = per_sample_grad(losses, {x, expand(w, {4, 3, 2}), target});
  const Tensor shared = w.detach().set_requires_grad();
  auto loss = [&](const Tensors& in) { return cross_entropy(matmul(in[0], shared), in[1]); };
  const Tensor one_by_one = per_sample_grad(loss, {x, target}, {shared})[0];
  CHECK(one_by_one.shape() == Shape{4, 3, 2});
  CHECK(distance(at_once[1], one_by_one) < 1e-15);
  CHECK_FALSE(at_once[2].defined());
  const Tensor total = grad(loss({x, target}), shared) * 4.0;
  CHECK(distance(sum(one_by_one, {0}), total) < 1e-14);
  CHECK(per_sample_grad(loss, {zeros({0, 3}, kFloat64), zeros({0}, kInt64)}, {shared})[0].shape() ==
        Shape{0, 3, 2});
}

TEST_CASE("transforms name the function that does not fit, with shapes") {
  const Tensor x = ones({2, 3});
  auto same = [](const Tensor& t) { return t; };
  auto two = [](const Tensor& t) { return Tensors{t, t}; };
  auto total = [](const Tensor& t) { return sum(t); };
  CHECK(message_of([&] { value_and_grad(same, {x}); }) ==
        "value_and_grad: the function must return one element; got shape [2, 3]");
  CHECK(message_of([&] { value_and_grad(two, {x}); }) ==
        "value_and_grad: the function must return one tensor; got 2");
  CHECK(message_of([&] { value_and_grad([](const Tensor& t) { return gt(t, 0); }, {x}); }) ==
        "value_and_grad: the function must return a floating tensor; got bool");
  CHECK(message_of([&] { hvp(same, x, x); }) ==
        "hvp: the function must return one element; got shape [2, 3]");
  CHECK(message_of([&] { hvp(total, Tensors{x}, Tensors{}); }) ==
        "hvp: expected one vector for each of 1 inputs; got 0");
  CHECK(message_of([&] { hvp([](const Tensor& t) { return sum(t * t); }, x, ones({2})); }) ==
        "hvp: expected a vector of the shape and dtype of input 0, [2, 3] float32; got [2] "
        "float32");
  CHECK(message_of([&] { hessian(same, x); }) ==
        "hessian: the function must return one element; got shape [2, 3]");
  CHECK(message_of([&] { hessian(total, x, {.batched = true}); }) ==
        "hessian: the function must return one element for each of 2 samples; got shape []");
  CHECK(message_of([&] { jacobian(two, x); }) ==
        "jacobian: a function of one tensor must return one; got 2");
  CHECK(message_of([&] { jacobian(same, x, {.chunk_size = 2}); }) ==
        "jacobian: only a batched function can give 2 rows at a time; set batched if it is one");
  CHECK(message_of([&] { jacobian(same, x, {.batched = true, .chunk_size = 0}); }) ==
        "jacobian: chunk_size must be positive; got 0");
  CHECK(message_of([&] { jacobian(total, x, {.batched = true}); }) ==
        "jacobian: a batched function must keep the leading dim of 2 samples; output 0 has shape "
        "[]");
  CHECK(message_of([&] {
          jacobian([](const Tensors& in) { return in[0]; }, {x, ones({3})}, {.batched = true});
        }) ==
        "jacobian: a batched function's inputs must share their leading dim; input 1 has shape "
        "[3], others 2 samples");
  CHECK(message_of([&] {
          jacobian(same, ones({1, 1, 1, 1, 1}));
        }) ==
        "jacobian: [1, 1, 1, 1, 1] x [1, 1, 1, 1, 1] has more than 8 dims; flatten the function's "
        "input or output");
  CHECK(message_of([&] { per_sample_grad(same, {x}); }) ==
        "per_sample_grad: the function must return one element for each of 2 samples; got shape "
        "[2, 3]");
  const Tensor w = ones({1}).set_requires_grad();
  CHECK(message_of([&] { per_sample_grad(same, {x}, {w}); }) ==
        "per_sample_grad: the function must return one floating element for a sample; got float32 "
        "[1, 3]");
  auto sums = [](const Tensors& in) { return sum(in[0] * in[0]); };
  CHECK(message_of([&] {
          hvp(sums, {x, x}, {x, ones({3})});
        }) ==
        "hvp: expected a vector of the shape and dtype of input 1, [2, 3] float32; got [3] "
        "float32");
  CHECK(message_of([&] { vjp([](const Tensor& t) { return t.detach(); }, {x}, {ones({3})}); }) ==
        "vjp: expected a gradient of the shape and dtype of output 0, [2, 3] float32; got [3] "
        "float32");
  CHECK(message_of([&] { per_sample_grad(total, {x}, {x}); }) ==
        "per_sample_grad: parameter 0 does not require a gradient");
  CHECK(per_sample_grad(total, {x}, {w}, {.allow_unused = true})[0].to_vector<float>() ==
        std::vector<float>{0, 0});
  CHECK(message_of([&] { jacobian(total, scalar(1), {.batched = true}); }) ==
        "jacobian: a batched function's inputs need a leading dim; input 0 has none");
  CHECK(message_of([&] {
          jacobian(total, x, {.batched = true, .chunk_size = int64_t{1} << 62});
        }) == "jacobian: 4611686018427387904 copies of shape [2, 3] are too many");
}
