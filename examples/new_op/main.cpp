// An op of your own, from outside of the library: sparsemax (Martins and Astudillo 2016,
// arXiv:1602.02068), the probabilities nearest to x along a dim. Unlike softmax it gives exact
// zeros.
#include <weft/weft.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace weft;

namespace {

extern const Op kSparsemax;

// tau with sum_i max(x_i - tau, 0) = 1: the k largest are above it, k as large as can be.
double threshold(double* row, size_t n) {
  std::sort(row, row + n, std::greater<>());
  double sum = -1, tau = 0;
  for (size_t k = 0; k < n; ++k) {
    sum += row[k];
    if (row[k] * static_cast<double>(k + 1) > sum) tau = sum / static_cast<double>(k + 1);
  }
  return tau;
}

// y_i = max(x_i - tau, 0). With S the n entries above zero, dy_i/dx_j = [i = j] - 1/n in S, else 0:
// the gradient is dy less its mean over S.
Tensor sparsemax(const Tensor& x, int dim) {
  const int d = normalize_dim("sparsemax", dim, x.shape());
  Tensor y;
  {
    const OpScope inside;
    const Tensor rows = to(transpose(x, d, -1), kFloat64);
    std::vector<double> values = rows.to_vector<double>(), taus;
    for (size_t at = 0, n = static_cast<size_t>(rows.size(-1)); at < values.size(); at += n)
      taus.push_back(threshold(&values[at], n));
    const Tensor tau = from_vector(taus, max(rows, {-1}, true).shape());
    y = relu(x - to(transpose(tau, d, -1), x.dtype()));
  }
  return record(kSparsemax, y, {x}, [y = save_output(y), d](Backward& b) {
    const Tensor in_s = to(gt(b.saved(y), 0), b.dy().dtype());
    const Tensor mean = sum(b.dy() * in_s, {d}, true) / sum(in_s, {d}, true);
    return in_s * (b.dy() - mean);
  });
}

// On these samples check_op() compares gradients with differences, float32 with float64, errors.
const Op kSparsemax{"sparsemax", [](Samples& s) {
                      auto along = [](int dim) {
                        return [dim](const Tensors& in) { return sparsemax(in[0], dim); };
                      };
                      s.add("last dim", {s.normal({3, 5})}, along(-1));
                      s.add("middle dim", {s.normal({2, 4, 3})}, along(1));
                      s.add("not contiguous", {s.transposed({4, 3})}, along(1));
                      s.add_error({s.normal({2, 3})}, along(2),
                                  "sparsemax: dim must be in [-2, 1]; got 2 for shape [2, 3]");
                    }};

}  // namespace

int main() {
  const OpReport report = check_op(kSparsemax);
  for (const std::string& failure : report.failures) std::puts(failure.c_str());
  std::printf("%d samples, %d slopes: %zu failures\n", report.samples, report.gradients[0],
              report.failures.size());

  const Tensor x = tensor({1.2, 0.1, 0.9, -0.6, 0.6, 0.0});
  const Tensor slopes = jacobian([](const Tensors& in) { return Tensors{sparsemax(in[0], 0)}; }, x);
  std::puts("\n    x  softmax             sparsemax           d sparsemax_i / d x_j");
  for (int64_t i = 0; i < x.numel(); ++i) {
    std::printf("%5.1f", x.at({i}));
    for (const double p : {softmax(x, 0).at({i}), sparsemax(x, 0).at({i})})
      std::printf("  %4.2f %-13s", p, std::string(static_cast<size_t>(20 * p + 0.5), '#').c_str());
    for (double slope : select(slopes, 0, i).to_vector<double>())
      slope == 0 ? std::printf("      .") : std::printf("  %+.2f", slope);
    std::puts("");
  }
  return report.failures.empty() ? 0 : 1;
}
