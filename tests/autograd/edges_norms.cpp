// Sums, means, variances and norms at the edges of what a row may hold: equal numbers whose mean is
// rounded, steps of one unit in the last place, rows whose squares leave their type.
#include <weft/tests/autograd/edges_rows.h>

using namespace weft;
using namespace weft::rows;

TEST_CASE("edges: sums and means overflow only where the result does") {
  for (const DType dtype : kDTypes) {
    const double most = -lowest(dtype);
    const Tensor pair = row({most, most, -most}, dtype);
    for (const int64_t inner : {1, 5, 300}) {  // lines and columns
      const Tensor x = expand(reshape(pair, {3, 1}), {3, inner});
      CHECK(numbers(sum(x, {0})) == Numbers(static_cast<size_t>(inner), most));
      const Tensor equal = full({40, inner}, most, dtype);
      check_near(numbers(mean(equal, {0})), Numbers(static_cast<size_t>(inner), most), dtype);
      CHECK(numbers(sum(equal, {0})) == Numbers(static_cast<size_t>(inner), kInf));
      CHECK(numbers(var(equal, {0})) == Numbers(static_cast<size_t>(inner), 0));
    }
    check_slope([](const Tensor& x) { return mean(x); }, pair, Numbers(3, 1.0 / 3));
    CHECK(numbers(sum(row({kInf, 1}, dtype), {0})) == Numbers{kInf});
    CHECK(std::isnan(sum(row({kInf, -kInf}, dtype)).item()));
  }
}

TEST_CASE("edges: the variance of equal numbers is exactly 0, of near ones theirs") {
  auto spread = [](const Tensor& x) { return var(x, {0}, 0); };
  for (const DType dtype : kDTypes)
    for (const double size : {0.1, 123456.7, 1e7, 1e20, 1e-30})
      for (const int64_t n : {1, 3, 255, 1000}) {
        CAPTURE(size, n, to_string(dtype));
        const Tensor x = full({n}, size, dtype);
        CHECK(spread(x).item() == 0);
        CHECK(numbers(var(expand(unsqueeze(x, 1), {n, 4}), {0}, 0)) == Numbers(4, 0));
        check_slope(spread, x, Numbers(static_cast<size_t>(n), 0));
      }
  for (const DType dtype : kDTypes) {  // steps of one unit in the last place, whose mean is none
    const double step = dtype == kFloat32 ? 1 : 0x1p-29;
    const Tensor x = row({1e7, 1e7 + step, 1e7 + step}, dtype);
    check_near(numbers(spread(x)), {step * step * 2 / 9}, dtype);
    check_slope(spread, x, {-step * 4 / 9, step * 2 / 9, step * 2 / 9});
    check_curvature(spread, x,
                    {4. / 9, -2. / 9, -2. / 9, -2. / 9, 4. / 9, -2. / 9, -2. / 9, -2. / 9, 4. / 9});
  }
}

namespace {

struct Norm {
  const char* name;
  std::function<Tensor(const Tensor&, double)> f;  // of x and eps
};

std::vector<Norm> layer_norms() {
  return {{"layer_norm", [](const Tensor& x, double eps) { return layer_norm(x, {}, {}, eps); }},
          {"residual_layer_norm", [](const Tensor& x, double eps) {
             return residual_layer_norm(x * 0.5, x * 0.5, {}, {}, {.eps = eps});
           }}};
}

std::vector<Norm> all_norms() {
  std::vector<Norm> norms = layer_norms();
  norms.push_back({"rms_norm", [](const Tensor& x, double eps) { return rms_norm(x, {}, eps); }});
  return norms;
}

// A cotangent that is neither constant nor, in a norm, orthogonal to what it meets.
Tensor cotangent(const Tensor& y) {
  Numbers v(static_cast<size_t>(y.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 1 + static_cast<double>(i * i % 7);
  return to(from_vector(v, y.shape()), y.dtype());
}

}  // namespace

TEST_CASE("edges: layer_norm of equal numbers is exactly 0") {
  for (const Norm& norm : layer_norms())
    for (const DType dtype : kDTypes)
      for (const double size : {0.1, 123456.7, 1e7, 1e20, lowest(dtype), 0.0})
        for (const int64_t n : {1, 3, 255, 1000}) {
          CAPTURE(norm.name, size, n);
          const Tensor x = full({n}, size, dtype);
          CHECK(numbers(norm.f(x, 1e-5)) == Numbers(static_cast<size_t>(n), 0));
          // (g - avg g) / sqrt(eps), which numbers of this size need a unit for
          const Tensor dy = cotangent(to(x, kFloat64));
          if (std::abs(size) < 1e10)
            check_slope([&](const Tensor& u) { return norm.f(u, 1e-5) * to(dy, dtype); }, x,
                        numbers((dy - mean(dy)) / std::sqrt(1e-5)), 64);
          const Tensor gamma = ones({n}, dtype);
          check_slope([&](const Tensor& g) { return layer_norm(x, g) * to(dy, dtype); }, gamma,
                      Numbers(static_cast<size_t>(n), 0));
        }
}

TEST_CASE("edges: layer_norm of near numbers sees the steps between them") {
  for (const Norm& norm : layer_norms())
    for (const DType dtype : kDTypes) {
      const double step = dtype == kFloat32 ? 1 : 0x1p-29;  // one unit in the last place of 1e7
      auto f = [&](const Tensor& x) {
        const Tensor y = norm.f(x, 0);
        return y * cotangent(y);
      };
      const Numbers steps = {0, 1, 1, 0, 2};
      Numbers near = steps;
      for (double& v : near) v = 1e7 + v * step;
      const Tensor u = row(steps, kFloat64).set_requires_grad();
      Numbers slope = numbers(grad(sum(f(u)), u));
      for (double& s : slope) s /= step;
      CAPTURE(norm.name);
      check_near(numbers(f(row(near, dtype))), numbers(f(u)), dtype);
      check_slope(f, row(near, dtype), slope, 32);
      Numbers curvature = numbers(hessian([&](const Tensor& x) { return sum(f(x)); }, u.detach()));
      for (double& h : curvature) h /= step * step;
      check_curvature(f, row(near, dtype), curvature, 64);
    }
}

TEST_CASE("edges: norms of huge and tiny rows are those of ordinary ones") {
  const Numbers shape = {1, -1, 0.5, 0.25, -0.75};
  for (const Norm& norm : all_norms())
    for (const DType dtype : kDTypes) {
      const double most = -lowest(dtype);
      const double tiny = dtype == kFloat32 ? 0x1p-140 : 0x1p-1065;
      for (const double size : {1e18, 1e20, 1e37, most, 1e-20, 1e-37, tiny}) {
        const double eps = size < 1 ? 0 : 1e-5;
        CAPTURE(norm.name, size, to_string(dtype));
        const Tensor u = row(shape, dtype), wide = to(u, kFloat64);
        auto at_size = [&](double scale, double added) {
          return [&norm, scale, added](const Tensor& x) {
            const Tensor y = norm.f(x * scale, added);
            return y * cotangent(y);
          };
        };
        const Function f = at_size(size, eps), ordinary = at_size(1, 0);
        check_near(numbers(f(u)), numbers(ordinary(wide)), dtype);
        if (size == tiny) continue;  // its slopes are too large for the dtype
        const Tensor leaf = clone(wide).set_requires_grad();
        check_slope(f, u, numbers(grad(sum(ordinary(leaf)), leaf)), 64);
        auto total = [&](const Tensor& x) { return sum(ordinary(x)); };
        check_curvature(f, u, numbers(hessian(total, wide)), 256);
      }
    }
}
