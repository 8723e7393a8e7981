// einsum of random equations, against a sum over all values of all labels.
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

#include <algorithm>

using namespace weft;
using namespace weft::property;

namespace {

constexpr int64_t kLabels = 4;

struct Equation {
  std::vector<std::string> operands;
  std::string result;
  std::vector<int64_t> sizes;  // of the labels a, b, ...

  Shape shape_of(const std::string& labels) const {
    Shape shape;
    for (char c : labels) shape.push_back(sizes[static_cast<size_t>(c - 'a')]);
    return shape;
  }
  std::string text() const {
    std::string joined;
    for (const std::string& o : operands) joined += "," + o;
    return joined.substr(1) + "->" + result;
  }
  // Where the element for these values of the labels is in a row-major tensor of `labels`.
  size_t at(const std::string& labels, const std::vector<int64_t>& values) const {
    int64_t offset = 0;
    for (char c : labels) {
      const auto label = static_cast<size_t>(c - 'a');
      offset = offset * sizes[label] + values[label];
    }
    return static_cast<size_t>(offset);
  }
};

Equation draw_equation() {
  Equation e;
  for (int64_t i = 0; i < kLabels; ++i) e.sizes.push_back(draw(1, 3));
  std::string used;
  for (int64_t n = draw(1, 3); n > 0; --n) {
    std::string labels;
    for (int64_t d = draw(n == 1 && used.empty() ? 1 : 0, 3); d > 0; --d)
      labels += static_cast<char>('a' + draw(0, kLabels - 1));
    e.operands.push_back(labels);
    used += labels;
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (char c : used)
    if (draw_bool())
      e.result.insert(static_cast<size_t>(draw(0, static_cast<int64_t>(e.result.size()))), 1, c);
  return e;
}

bool next(std::vector<int64_t>& values, const std::vector<int64_t>& sizes,
          const std::string& used) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (used.find(static_cast<char>('a' + i)) == std::string::npos) continue;
    if (++values[i] < sizes[i]) return true;
    values[i] = 0;
  }
  return false;
}

Evaluation by_sums(const Equation& e, const Tensors& operands, const Tensor& dy) {
  std::string used = e.result;
  std::vector<std::vector<double>> x, dx;
  for (size_t i = 0; i < operands.size(); ++i) {
    used += e.operands[i];
    x.push_back(operands[i].to_vector<double>());
    dx.emplace_back(x.back().size(), 0);
  }
  const auto flow = dy.to_vector<double>();
  std::vector<double> y(flow.size(), 0);
  std::vector<int64_t> values(static_cast<size_t>(kLabels), 0);
  do {
    const size_t out = e.at(e.result, values);
    for (size_t i = 0; i <= x.size(); ++i) {  // the product of all, then of all but operand i
      double product = i < x.size() ? flow[out] : 1;
      for (size_t k = 0; k < x.size(); ++k)
        if (k != i) product *= x[k][e.at(e.operands[k], values)];
      (i < x.size() ? dx[i][e.at(e.operands[i], values)] : y[out]) += product;
    }
  } while (next(values, e.sizes, used));
  Evaluation wanted{tensor_of(y, dy.shape()), dy, {}};
  for (size_t i = 0; i < x.size(); ++i)
    wanted.gradients.push_back(tensor_of(dx[i], operands[i].shape()));
  return wanted;
}

}  // namespace

TEST_CASE("einsum is a sum over all labels") {
  holds("einsum", [] {
    const Equation e = draw_equation();
    RC_LOG() << e.text();
    Tensors operands;
    for (const std::string& labels : e.operands)
      operands.push_back(draw_tensor(e.shape_of(labels)));
    const auto got =
        evaluate([&](const Tensors& in) { return einsum(e.text(), in); }, operands, draw_seed());
    expect_close(got, by_sums(e, operands, got.dy), 1e-11);
  });
}
