#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/nn/positional.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

// Adds rows [T, D] along the time dim of x.
Tensor add_rows(const Tensor& x, const Tensor& rows, bool batch_first) {
  return x + (batch_first ? rows : unsqueeze(rows, 1));
}

int64_t end_of(const Tensor& x, int64_t first, bool batch_first) {
  check(x.defined() && x.dim() == 3, "positions: expected {}; got shape {}",
        batch_first ? "[B, T, D]" : "[T, B, D]", x.defined() ? x.shape() : Shape());
  check(first >= 0, "positions: the first position must not be negative; got {}", first);
  return add_sizes("positions", first, x.size(batch_first ? 1 : 0));
}

// Beyond these a table from 0 on would take more memory than its rows are worth.
constexpr int64_t kTableRows = 1 << 16;

}  // namespace

Tensor sinusoidal_positions(int64_t length, int64_t width, DType dtype, int64_t first) {
  const int64_t end = add_sizes("sinusoidal_positions", first, length);
  std::vector<double> table;
  for (int64_t t = first; t < end; ++t)
    for (int64_t d = 0; d < width; ++d) {
      const double exponent = static_cast<double>(d - d % 2) / static_cast<double>(width);
      const double angle = static_cast<double>(t) * std::exp(-exponent * std::log(10000.0));
      table.push_back(d % 2 ? std::cos(angle) : std::sin(angle));
    }
  return to(from_vector(table, {length, width}), dtype);
}

Tensor detail::PositionTable::rows(int64_t first, int64_t length, const Tensor& x) {
  check(is_floating(x.dtype()), "positions: expected a floating tensor; got {}",
        to_string(x.dtype()));
  const int64_t end = add_sizes("positions", first, length), farthest = std::max(end, -first);
  if (farthest > kTableRows) return sinusoidal_positions(length, x.size(-1), x.dtype(), first);
  const std::lock_guard lock(mutex_);
  const bool here = table_.defined() && begin_ <= first && end <= begin_ + table_.size(0);
  if (!here || table_.size(1) != x.size(-1) || table_.dtype() != x.dtype()) {
    begin_ = first < 0 ? -2 * farthest : 0;
    table_ = sinusoidal_positions(2 * farthest - begin_, x.size(-1), x.dtype(), begin_);
  }
  return slice(table_, 0, first - begin_, end - begin_);
}

Tensor SinusoidalPositions::forward(const Tensor& x, int64_t first) {
  const int64_t length = end_of(x, first, batch_first_) - first;
  return add_rows(x, table_.rows(first, length, x), batch_first_);
}

LearnedPositions::LearnedPositions(int64_t longest, int64_t width, Generator generator,
                                   bool batch_first)
    : weight(parameter("weight", Tensor({longest, width}))), batch_first_(batch_first) {
  init::normal(weight, 0, 0.02, generator);
}

Tensor LearnedPositions::forward(const Tensor& x, int64_t first) {
  const int64_t end = end_of(x, first, batch_first_);
  check(end <= weight.size(0), "positions: the table has {} rows; a sequence needs {}",
        weight.size(0), end);
  check(x.size(2) == weight.size(1), "positions: the table is {} wide; got shape {}",
        weight.size(1), x.shape());
  return add_rows(x, slice(weight, 0, first, end), batch_first_);
}

Tensor RotaryPositions::forward(const Tensor& x, int64_t first) {
  check(x.defined() && x.dim() >= 2 && x.size(-1) % 2 == 0,
        "rotary positions: expected [..., T, width] with an even width; got shape {}",
        x.defined() ? x.shape() : Shape());
  check(first >= 0, "rotary positions: the first position must not be negative; got {}", first);
  const int64_t length = x.size(-2), width = x.size(-1);
  const Tensor table = table_.rows(first, length, x);
  auto pairs = [&](const Tensor& t) {  // its even and odd columns
    Shape shape = t.shape();
    shape[t.dim() - 1] = width / 2;
    shape.push_back(2);
    return split(reshape(t, shape), 1, -1);
  };
  const Tensors angle = pairs(table), in = pairs(x);
  const Tensor &sine = angle[0], &cosine = angle[1];  // [T, width / 2, 1]
  return reshape(cat({in[0] * cosine - in[1] * sine, in[0] * sine + in[1] * cosine}, -1),
                 x.shape());
}

}  // namespace weft
