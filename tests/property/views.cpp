// Views, joins and indexing. All of them are linear, so that what they do to numbers can be read
// off from what they do to positions, and the gradient must be the transpose of that.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

using namespace weft;
using namespace weft::property;

namespace {

Shape draw_permutation(int rank) {
  Shape dims;
  for (int d = 0; d < rank; ++d) dims.insert(static_cast<int>(draw(0, d)), d);
  return dims;
}

// A random view or copy of x, the same whatever x holds: settings come from `choice` and the shape.
Tensor move_about(const Tensor& x, uint64_t choice) {
  Generator g(choice);
  const int d = x.dim() ? static_cast<int>(g.below(x.dim())) : 0;
  switch (g.below(x.dim() ? 9 : 2)) {
    case 0:
      return unsqueeze(x, d);
    case 1:
      return reshape(x, {-1});
    case 2:
      return transpose(x, d, -1);
    case 3:
      return slice(x, d, g.below(x.size(d) + 1), x.size(d), 1 + g.below(3));
    case 4:
      return cat({x, slice(x, d, 0, 1)}, d);
    case 5:
      return squeeze(x, d);
    case 6:
      return x.size(d) ? index_select(x, d, randint(x.size(d), {3}, g)) : x;
    case 7:
      return x.size(d) ? gather(x, d, randint(x.size(d), x.shape(), g)) : x;
    default: {
      Shape shape = x.shape();
      shape.insert(0, 2);
      return expand(x, shape);
    }
  }
}

// A shape for n elements, which are not 0.
Shape draw_factors(int64_t n) {
  Shape shape;
  while (n > 1) {
    const int64_t size = draw(2, n);
    if (n % size) continue;
    shape.push_back(size);
    n /= size;
  }
  if (shape.rank() < 8 && draw_bool()) shape.insert(static_cast<int>(draw(0, shape.rank())), 1);
  return shape;
}

// Positions in storage of x's elements, in row-major order.
std::vector<int64_t> positions(const Tensor& x) {
  std::vector<int64_t> at{0};
  for (int d = 0; d < x.dim(); ++d) {
    std::vector<int64_t> next;
    for (int64_t p : at)
      for (int64_t i = 0; i < x.size(d); ++i) next.push_back(p + i * x.strides()[d]);
    at = next;
  }
  return at;
}

// Whether there are strides with which elements at these positions have that shape.
bool can_be_strided(const std::vector<int64_t>& at, const Shape& shape) {
  const Shape steps = contiguous_strides(shape);
  for (size_t i = 0; i < at.size(); ++i) {
    int64_t expected = 0;
    for (int d = 0; d < shape.rank(); ++d)
      if (shape[d] > 1)
        expected +=
            static_cast<int64_t>(i) / steps[d] % shape[d] * at[static_cast<size_t>(steps[d])];
    if (at[i] != expected) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("the gradient of moving numbers about puts each back where it came from") {
  holds("chains of views, copies and indexing", [] {
    const Tensor x = draw_tensor(draw_shape(0, 4, 0, 4));
    const auto choices =
        *rc::gen::container<std::vector<uint64_t>>(3, rc::gen::inRange<uint64_t>(0, 999));
    auto f = [&](const Tensor& t) {
      Tensor y = t;
      for (uint64_t choice : choices) y = move_about(y, choice);
      return y;
    };
    const Evaluation got = evaluate([&](const Tensors& in) { return f(in[0]); }, {x}, draw_seed());
    const auto from = f(reshape(arange(x.numel()), x.shape())).to_vector<int64_t>();
    const auto numbers = x.to_vector<double>(), dy = got.dy.to_vector<double>();
    std::vector<double> y, dx(numbers.size(), 0);
    for (size_t i = 0; i < from.size(); ++i) {
      y.push_back(numbers[static_cast<size_t>(from[i])]);
      dx[static_cast<size_t>(from[i])] += dy[i];
    }
    expect_close("value", got.y, tensor_of(y, got.y.shape()), 0);
    expect_close("gradient", got.gradients[0], tensor_of(dx, x.shape()));
  });
}

TEST_CASE("permute moves each dim where it says") {
  holds("permute", [] {
    const Tensor x = draw_tensor(draw_shape(0, 5, 0, 4));
    const Shape dims = draw_permutation(x.dim());
    const Tensor y = permute(x, dims);
    const auto numbers = x.to_vector<double>(), moved = y.to_vector<double>();
    const Shape strides = contiguous_strides(x.shape());
    for (int64_t i = 0; i < y.numel(); ++i) {
      int64_t rest = i, at = 0;
      for (int d = y.dim() - 1; d >= 0; --d) {
        at += rest % y.size(d) * strides[static_cast<int>(dims[d])];
        rest /= y.size(d);
      }
      RC_ASSERT(moved[static_cast<size_t>(i)] == numbers[static_cast<size_t>(at)]);
    }
  });
}

TEST_CASE("reshape keeps the row-major order") {
  holds("reshape", [] {
    const Tensor x = draw_tensor(draw_shape(1, 4, 1, 4));
    Shape shape{x.size(0), -1};
    if (draw_bool()) shape.insert(0, 1);
    const Tensor y = reshape(x, shape);
    RC_ASSERT(y.numel() == x.numel());
    RC_ASSERT(y.to_vector<double>() == x.to_vector<double>());
  });
}

TEST_CASE("reshape copies only where no strides would do") {
  holds("reshape as a view", [] {
    Tensor x = draw_tensor(draw_shape(1, 4, 1, 4));
    if (draw_bool()) x = permute(x, draw_permutation(x.dim()));
    const Shape shape = draw_factors(x.numel());
    const Tensor y = reshape(x, shape);
    RC_ASSERT(y.to_vector<double>() == x.to_vector<double>());
    RC_ASSERT(y.same_storage(x) == can_be_strided(positions(x), shape));
  });
}

TEST_CASE("slice takes the elements between its bounds, all or every few") {
  holds("slice and pad", [] {
    const Tensor x = draw_tensor(draw_shape(1, 4, 0, 5));
    const int d = static_cast<int>(draw(0, x.dim() - 1));
    const int64_t n = x.size(d), first = draw(0, n), last = draw(first, n);
    const Tensor part = slice(x, d - x.dim(), first, n == last ? last : last - n);
    RC_ASSERT(part.size(d) == last - first);
    for (int64_t i = first; i < last; ++i)
      expect_close("row", select(part, d, i - first), select(x, d, i), 0);
    const int64_t step = draw(1, 6);
    const Tensor some = slice(x, d, first, last, step);
    RC_ASSERT(some.size(d) == (last - first + step - 1) / step);
    for (int64_t i = 0; i < some.size(d); ++i)
      expect_close("every step", select(some, d, i), select(part, d, i * step), 0);
    const Tensor padded = pad(part, d, first, n - last, 0.5);
    expect_close("padded, the part", slice(padded, d, first, last), part, 0);
    expect_close("padded, before", slice(padded, d, 0, first),
                 full(slice(x, d, 0, first).shape(), 0.5, kFloat64), 0);
    expect_close("padded, after", slice(padded, d, last),
                 full(slice(x, d, last).shape(), 0.5, kFloat64), 0);
  });
}

TEST_CASE("cat undoes split, whatever part is used") {
  holds("split and cat", [] {
    const Tensor x = draw_tensor(draw_shape(1, 4, 0, 6));
    const int d = static_cast<int>(draw(0, x.dim() - 1));
    const int64_t size = draw(1, 4);
    expect_close("all parts", x.size(d) ? cat(split(x, size, d), d) : x, x, 0);
    if (x.size(d) == 0) return;
    const int64_t parts = (x.size(d) + size - 1) / size, used = draw(0, parts - 1);
    const auto part = [&](const Tensors& in) {
      return split(in[0], size, d)[static_cast<size_t>(used)];
    };
    const auto cut = [&](const Tensors& in) {
      return slice(in[0], d, used * size, (used + 1) * size);
    };
    expect_close(evaluate(part, {x}, 1), evaluate(cut, {x}, 1), 0);
  });
}

TEST_CASE("scatter_add is the transpose of gather") {
  holds("scatter_add", [] {
    const Shape shape = draw_shape(1, 3, 1, 4);
    const int d = static_cast<int>(draw(0, shape.rank() - 1));
    Generator g(draw_seed());
    Shape smaller = shape;
    for (int i = 0; i < shape.rank(); ++i) smaller[i] = draw(0, shape[i]);
    const Tensor x = draw_tensor(shape), index = randint(shape[d], smaller, g),
                 src = draw_tensor(shape), c = draw_tensor(shape);
    const double direct = sum(scatter_add(x, d, index, src) * c).item() - sum(x * c).item();
    Tensor corner = src;
    for (int i = 0; i < shape.rank(); ++i) corner = slice(corner, i, 0, smaller[i]);
    const double transposed = sum(gather(c, d, index) * corner).item();
    expect_close("inner product", scalar(direct, kFloat64), scalar(transposed, kFloat64), 1e-10);
  });
}
