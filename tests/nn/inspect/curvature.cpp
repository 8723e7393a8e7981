// Largest eigenvalues against matrices of known ones, and against explicit Hessians.
#include <weft/autograd/autograd.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/functional_call.h>
#include <weft/nn/inspect/curvature.h>
#include <weft/nn/inspect/detail/symmetric_eigen.h>
#include <weft/tests/nn/numbers.h>

#include <numbers>

using namespace weft;

namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix rows_of(const Tensor& m) {
  Matrix rows;
  for (int64_t i = 0; i < m.size(0); ++i) rows.push_back(select(m, 0, i).to_vector<double>());
  return rows;
}

// Q diag(values) Q^T, with Q of Gram and Schmidt.
Tensor with_eigenvalues(const std::vector<double>& values, uint64_t seed) {
  const auto n = static_cast<int64_t>(values.size());
  const Tensor random = normal({n, n}, seed);
  Tensor a = zeros({n, n}, kFloat64);
  Tensors q;
  for (int64_t i = 0; i < n; ++i) {
    Tensor x = select(random, 0, i);
    for (int pass = 0; pass < 2; ++pass)
      for (const Tensor& before : q) x = x - before * sum(x * before);
    q.push_back(x / sqrt(sum(x * x)));
    a = a + unsqueeze(q.back(), 1) * q.back() * values[static_cast<size_t>(i)];
  }
  return a;
}

SymmetricProduct times(const Tensor& a) {
  return [a](const Tensors& v) { return Tensors{matmul(a, v[0])}; };
}

void check_values(const Eigenvalues& found, const std::vector<double>& expected) {
  REQUIRE(found.values.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(std::abs(found.values[i] - expected[i]) < kClose);
}

// A small attention layer's loss as a function of two of its parameters, 64 numbers.
struct Attention {
  Attention() { layer.to(kFloat64); }
  Tensor output(const Tensors& p) {
    return functional_call(layer, NamedTensors{{names[0], p[0]}, {names[1], p[1]}},
                           [&] { return layer(x, x, x).output; });
  }
  static Tensor loss_of(const Tensor& y) {
    return sum(softplus(y) * normal(Shape(y.shape()), 5)) + sum(y * y);
  }
  MultiheadAttention layer{{.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1)};
  std::vector<std::string> names{"in_proj_weight", "out_proj.weight"};
  Tensors parameters() const { return {layer.find(names[0]), layer.find(names[1])}; }
  Tensor x = normal({2, 3, 4}, 2);
};

// Blocks [i][j] of shape [input i's..., input j's...] as one matrix.
Tensor assembled(const std::vector<Tensors>& blocks, const Tensors& inputs) {
  Tensors rows;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensors row;
    for (size_t j = 0; j < inputs.size(); ++j)
      row.push_back(reshape(blocks[i][j], {inputs[i].numel(), inputs[j].numel()}));
    rows.push_back(cat(row, 1));
  }
  return cat(rows, 0);
}

}  // namespace

TEST_CASE("eigenvalues of small matrices are the known ones") {
  // 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)), vectors sin(j k pi / (n + 1)).
  constexpr size_t n = 7;
  Matrix a(n, std::vector<double>(n));
  for (size_t i = 0; i < n; ++i) {
    a[i][i] = 2;
    if (i > 0) a[i][i - 1] = a[i - 1][i] = -1;
  }
  const detail::SymmetricEigen found = detail::symmetric_eigen(a);
  for (size_t i = 0; i < n; ++i) {
    const double angle = std::numbers::pi * static_cast<double>(n - i) / (n + 1);
    CHECK(std::abs(found.values[i] - (2 - 2 * std::cos(angle))) < 1e-14);
    const double last = std::sqrt(2.0 / (n + 1)) * std::abs(std::sin(n * angle));
    CHECK(std::abs(found.last[i] - last) < 1e-14);
  }
  const std::vector<double> values{9, 4, 4, 1e-3, 0, -2, -7};
  check_values({detail::symmetric_eigen(rows_of(with_eigenvalues(values, 1))).values, {}}, values);
  CHECK(detail::symmetric_eigen({{-3}}).values == std::vector<double>{-3});
  CHECK(detail::symmetric_eigen({{0, 2}, {2, 0}}).values[1] == Approx(-2));
}

TEST_CASE("as many steps as dims find every eigenvalue, repeated ones too") {
  const std::vector<double> values{9, 4, 4, 4, 1e-3, 0, -2, -7};
  const Tensor a = with_eigenvalues(values, 3), like = zeros({8}, kFloat64);
  const Eigenvalues found = lanczos(times(a), {like}, 8, 100, Generator(1));
  check_values(found, values);
  CHECK(found.errors == std::vector<double>(8));
  check_values(lanczos(times(a), {like}, 2, 8, Generator(2)), {9, 4});
  check_values(lanczos(times(a * 0), {like}, 3, 8, Generator(1)), {0, 0, 0});
  check_values(
      lanczos(times(full({1, 1}, -3, kFloat64)), {zeros({1}, kFloat64)}, 1, 1, Generator(1)), {-3});
}

TEST_CASE("few steps find the largest to the error that they tell") {
  std::vector<double> values;
  for (int i = 0; i < 60; ++i) values.push_back(100 * std::pow(0.8, i) - 1);
  const Tensor a = with_eigenvalues(values, 4), like = zeros({60}, kFloat64);
  for (const int64_t steps : {5, 10, 20}) {
    const Eigenvalues found = lanczos(times(a), {like}, 4, steps, Generator(1));
    for (size_t i = 0; i < 4; ++i) {
      double nearest = INFINITY;
      for (const double v : values) nearest = std::min(nearest, std::abs(v - found.values[i]));
      CHECK(nearest < found.errors[i] + kClose);
    }
  }
  const Eigenvalues found = lanczos(times(a), {like}, 3, 40, Generator(1));
  check_values(found, {values[0], values[1], values[2]});
  CHECK(found.errors[0] < kClose);
}

TEST_CASE("top eigenvalues of an attention layer are its Hessian's") {
  Attention a;
  const TensorFunction f = [&](const Tensors& p) { return Attention::loss_of(a.output(p)); };
  const Tensor h = assembled(hessian(f, a.parameters()), a.parameters());
  const std::vector<double> all = detail::symmetric_eigen(rows_of(h)).values;
  REQUIRE(all.size() == 64);
  CHECK(all.back() < -0.01);  // a saddle
  const std::vector<double> expected(all.begin(), all.begin() + 5);
  check_values(top_eigenvalues(f, a.parameters(), 5, 64, Generator(1)), expected);
  check_values(top_eigenvalues(f, a.parameters(), 5, 40, Generator(1)), expected);
  const TensorFunction negated = [&](const Tensors& p) { return -f(p)[0]; };
  check_values(top_eigenvalues(negated, a.parameters(), 1, 64, Generator(1)), {-all.back()});
}

TEST_CASE("top Gauss-Newton eigenvalues are those of J^T H J") {
  Attention a;
  const TensorFunction model = [&](const Tensors&p) { return a.output(p); },
                       loss = [](const Tensor&y) { return sum(exp(y)); };
  const std::vector<Tensors> blocks = jacobian(model, a.parameters());
  const Tensor j = cat({reshape(blocks[0][0], {24, 48}), reshape(blocks[0][1], {24, 16})}, 1);
  const Tensor y = reshape(a.output(a.parameters()), {24});
  const Tensor g = matmul(transpose(j, 0, 1), unsqueeze(exp(y), 1) * j);
  const std::vector<double> all = detail::symmetric_eigen(rows_of(g.detach())).values;
  check_values(top_gauss_newton_eigenvalues(model, loss, a.parameters(), 5, 64, Generator(1)),
               {all.begin(), all.begin() + 5});
}

TEST_CASE("curvature in float32 is that in float64 to float32's rounding") {
  const std::vector<double> values{5, 3, 1, -1};
  const Tensor a = with_eigenvalues(values, 6);
  const TensorFunction f = [&](const Tensor& x) {
    return sum(x * matmul(to(a, kFloat32), x)) * 0.5;
  };
  const Eigenvalues found = top_eigenvalues(f, {ones({4})}, 4, 4, Generator(1));
  for (size_t i = 0; i < 4; ++i) CHECK(std::abs(found.values[i] - values[i]) < 1e-5);
}

TEST_CASE("curvature says what it expects") {
  const Tensor a = eye(3, kFloat64), like = zeros({3}, kFloat64);
  CHECK(message_of([&] { lanczos(times(a), {like}, 4, 9, Generator(1)); }) ==
        "lanczos: expected a count in [1, min(steps, N)]; got 4 of 9 steps, N = 3");
  CHECK(message_of([&] { lanczos(times(a), {zeros({3}, kInt64)}, 1, 1, Generator(1)); }) ==
        "lanczos: expected floating tensors; got int64");
  CHECK(message_of([&] { lanczos(times(a * NAN), {like}, 1, 3, Generator(1)); }) ==
        "lanczos: a product has elements that are not finite");
}
