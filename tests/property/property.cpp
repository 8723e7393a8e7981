#include <fmt/format.h>
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

#include <cmath>

namespace weft::property {

int64_t draw(int64_t lo, int64_t hi) { return *rc::gen::inRange<int64_t>(lo, hi + 1); }

bool draw_bool() { return *rc::gen::arbitrary<bool>(); }

uint64_t draw_seed() {  // at full size from the first case on: two seeds are never the same
  using rc::gen::resize;
  return *rc::gen::noShrink(resize(rc::kNominalSize, rc::gen::inRange<uint64_t>(0, 1ULL << 40)));
}

Shape draw_shape(int min_rank, int max_rank, int64_t min_size, int64_t max_size) {
  const int64_t rank = draw(min_rank, max_rank);
  Shape shape;
  for (int64_t d = 0; d < rank; ++d) shape.push_back(draw(min_size, max_size));
  return shape;
}

Shape draw_broadcast(const Shape& shape) {
  Shape from;
  for (int64_t d = draw(0, shape.rank()); d < shape.rank(); ++d)
    from.push_back(draw_bool() ? shape[static_cast<int>(d)] : 1);
  return from;
}

Tensor draw_tensor(const Shape& shape) {
  Generator generator(draw_seed());
  const int64_t layout = shape.rank() ? draw(0, 3) : 0;
  if (layout == 0) return randn(shape, generator, kFloat64);
  if (layout == 1 && shape.rank() > 1) {
    Shape stored = shape;
    std::swap(stored[0], stored[shape.rank() - 1]);
    return transpose(randn(stored, generator, kFloat64), 0, -1);
  }
  const int d = static_cast<int>(draw(0, shape.rank() - 1));
  Shape stored = shape;
  if (layout == 2) {
    stored[d] += 3;
    return slice(randn(stored, generator, kFloat64), d, 2, 2 + shape[d]);
  }
  stored.insert(d + 1, 2);
  return select(randn(stored, generator, kFloat64), d + 1, 1);
}

Evaluation evaluate(const Function& f, const Tensors& inputs, uint64_t seed, DType dtype) {
  Tensors in, leaves;
  for (const Tensor& t : inputs) {
    const bool floating = t.defined() && is_floating(t.dtype());
    in.push_back(floating ? to(t, dtype).detach().set_requires_grad() : t);
    if (floating) leaves.push_back(in.back());
  }
  Generator generator(seed);
  Evaluation e;
  e.y = f(in);
  e.dy = to(randn(e.y.shape(), generator, kFloat64), dtype);
  e.gradients = grad({e.y}, leaves, {.grad_outputs = {e.dy}, .allow_unused = true});
  for (size_t i = 0; i < leaves.size(); ++i)
    if (!e.gradients[i].defined()) e.gradients[i] = zeros(leaves[i].shape(), dtype);
  return e;
}

void expect_close(const std::string& what, const Tensor& got, const Tensor& wanted,
                  double tolerance) {
  if (!(got.shape() == wanted.shape()))
    RC_FAIL(fmt::format("{}: shape {}, expected {}", what, to_string(got.shape()),
                        to_string(wanted.shape())));
  const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    if (!same && !(std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i]))))
      RC_FAIL(fmt::format("{}: element {} is {:.17g}, expected {:.17g}", what, i, a[i], b[i]));
  }
}

void expect_close(const Evaluation& got, const Evaluation& wanted, double tolerance) {
  expect_close("value", got.y, wanted.y, tolerance);
  RC_ASSERT(got.gradients.size() == wanted.gradients.size());
  for (size_t i = 0; i < got.gradients.size(); ++i)
    expect_close(fmt::format("gradient {}", i), got.gradients[i], wanted.gradients[i], tolerance);
}

Tensor tensor_of(const std::vector<double>& numbers, const Shape& shape) {
  return from_vector(numbers, shape);
}

size_t source_of(int64_t i, const Shape& shape, const Shape& from) {
  const Shape strides = contiguous_strides(from);
  int64_t at = 0;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    const int64_t index = i % shape[d];
    i /= shape[d];
    const int own = d - (shape.rank() - from.rank());
    if (own >= 0 && from[own] != 1) at += index * strides[own];
  }
  return static_cast<size_t>(at);
}

}  // namespace weft::property
