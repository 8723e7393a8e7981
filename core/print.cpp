// Printing tensors: aligned columns, four significant decimals, long dims shortened to their ends.
#include <weft/core/detail/check.h>
#include <weft/core/tensor.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace weft {
namespace {

constexpr int64_t kEdge = 3;          // entries shown at either end of a shortened dim
constexpr int64_t kShortenFrom = 10;  // dims up to this size are shown whole

class Printer {
 public:
  explicit Printer(const Tensor& t) : t_(t), index_(Shape::filled(t.dim(), 0)) {
    visit(0, [&] { width_ = std::max(width_, element().size()); });
    visit(
        0, [&] { out_ += fmt::format("{:>{}}", element(), width_); }, true);
  }
  std::string take() { return std::move(out_); }

 private:
  template <class F>
  void visit(int d, F&& leaf, bool write = false) {
    if (d == t_.dim()) return leaf();
    const int64_t n = t_.shape()[d];
    if (write) out_ += '[';
    for (int64_t i = 0; i < n; ++i) {
      if (write && i) out_ += separator(d);
      if (n > kShortenFrom && i == kEdge) {
        if (write) out_ += fmt::format("...{}", separator(d));
        i = n - kEdge;
      }
      index_[d] = i;
      visit(d + 1, leaf, write);
    }
    if (write) out_ += ']';
  }

  std::string separator(int d) const {
    const int deeper = t_.dim() - d - 1;
    if (deeper == 0) return ", ";
    return fmt::format(",{:\n>{}}{:>{}}", "", deeper, "", d + 8);
  }

  std::string element() const {
    int64_t offset = 0;
    for (int d = 0; d < t_.dim(); ++d) offset += index_[d] * t_.strides()[d];
    return dispatch(t_.dtype(), [&](auto tag) -> std::string {
      using T = typename decltype(tag)::type;
      const T v = static_cast<const T*>(t_.raw())[offset];
      if constexpr (std::is_same_v<T, bool>)
        return v ? "true" : "false";
      else if constexpr (std::is_same_v<T, int64_t>)
        return fmt::format("{}", v);
      else if (std::isnan(v))  // its sign means nothing
        return "nan";
      else
        return fmt::format("{:.4g}", static_cast<double>(v));
    });
  }

  const Tensor& t_;
  Shape index_;
  size_t width_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "tensor(undefined)";
  return fmt::format("tensor({}, shape {}, {})", Printer(t).take(), t.shape(),
                     to_string(t.dtype()));
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

}  // namespace weft
