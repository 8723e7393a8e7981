#include <weft/core/detail/check.h>
#include <weft/core/shape.h>

#include <algorithm>
#include <ostream>

namespace weft {

Shape::Shape(std::span<const int64_t> v) : rank_(static_cast<int>(v.size())) {
  check(v.size() <= kMaxRank, "shape: at most {} dimensions are supported; got {}", kMaxRank,
        v.size());
  std::copy(v.begin(), v.end(), v_.begin());
}

Shape Shape::filled(int rank, int64_t value) {
  Shape s;
  for (int i = 0; i < rank; ++i) s.push_back(value);
  return s;
}

void Shape::push_back(int64_t d) { insert(rank_, d); }

void Shape::insert(int at, int64_t d) {
  check(rank_ < kMaxRank, "shape: at most {} dimensions are supported; {} has no room for another",
        kMaxRank, *this);
  invariant(at >= 0 && at <= rank_, "Shape::insert: there is no such place");
  for (int i = rank_; i > at; --i) (*this)[i] = (*this)[i - 1];
  (*this)[at] = d;
  ++rank_;
}

void Shape::erase(int at) {
  invariant(at >= 0 && at < rank_, "Shape::erase: there is no such entry");
  for (int i = at; i + 1 < rank_; ++i) (*this)[i] = (*this)[i + 1];
  --rank_;
}

void Shape::fail_numel() const { fail("shape: {} has more elements than can be counted", *this); }

int64_t add_sizes(const char* who, int64_t a, int64_t b) {
  int64_t sum = 0;
  check(!__builtin_add_overflow(a, b, &sum), "{}: {} + {} is no size", who, a, b);
  return sum;
}

int64_t multiply_sizes(const char* who, int64_t a, int64_t b) {
  int64_t product = 0;
  check(!__builtin_mul_overflow(a, b, &product), "{}: {} * {} is no size", who, a, b);
  return product;
}

std::string to_string(const Shape& s) {
  return fmt::format("[{}]", fmt::join(s.begin(), s.end(), ", "));
}

std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << to_string(s); }

Shape contiguous_strides(const Shape& shape) {
  shape.numel();  // an Error unless all steps fit
  Shape strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(const char* who, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  const int skip = longer.rank() - shorter.rank();
  Shape out = longer;
  for (int i = 0; i < shorter.rank(); ++i) {
    const int64_t x = longer[i + skip], y = shorter[i];
    check(x == y || x == 1 || y == 1, "{}: shapes do not broadcast; got {} and {}", who, a, b);
    out[i + skip] = x == 1 ? y : x;
  }
  return out;
}

int normalize_dim(const char* who, int dim, const Shape& shape) {
  const int rank = std::max(shape.rank(), 1);
  check(dim >= -rank && dim < rank, "{}: dim must be in [{}, {}]; got {} for shape {}", who, -rank,
        rank - 1, dim, shape);
  return dim < 0 ? dim + rank : dim;
}

}  // namespace weft
