// Sizes and strides: a short list of int64 that lives inline, so that no op allocates for it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

namespace weft {

/// The largest number of dimensions of a tensor.
constexpr int kMaxRank = 8;

/// A list of at most kMaxRank sizes, strides or dims.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> v) : Shape(std::span(v.begin(), v.size())) {}
  explicit Shape(std::span<const int64_t> v);
  /// `rank` entries, all `value`.
  static Shape filled(int rank, int64_t value);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return v_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return v_[static_cast<size_t>(i)]; }
  const int64_t* begin() const { return v_.data(); }
  const int64_t* end() const { return v_.data() + rank_; }
  int64_t back() const { return v_[static_cast<size_t>(rank_ - 1)]; }
  /// Product of the entries; 1 for rank 0. An Error if int64 cannot hold it, zeros left aside: then
  /// the shape has no strides either.
  int64_t numel() const {
    int64_t n = 1;
    bool overflow = false, empty = false;
    for (int64_t d : *this) {
      if (d == 0)
        empty = true;
      else
        overflow |= __builtin_mul_overflow(n, d, &n);
    }
    if (overflow) [[unlikely]]
      fail_numel();
    return empty ? 0 : n;
  }

  void push_back(int64_t d);
  void insert(int at, int64_t d);
  void erase(int at);

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  [[noreturn]] void fail_numel() const;

  std::array<int64_t, kMaxRank> v_;  // entries past rank_ are never read
  int rank_ = 0;
};

/// "[2, 3]"
std::string to_string(const Shape& s);
std::ostream& operator<<(std::ostream& out, const Shape& s);

/// The sum and the product of sizes that a caller may choose; an Error names `who` if int64 cannot
/// hold it: `pad: 9223372036854775807 + 1 is no size`.
int64_t add_sizes(const char* who, int64_t a, int64_t b);
int64_t multiply_sizes(const char* who, int64_t a, int64_t b);

/// Strides of a contiguous (row-major) tensor of this shape, in elements.
Shape contiguous_strides(const Shape& shape);

/// The shape that both broadcast to (NumPy's rules); an Error names `who`.
Shape broadcast_shapes(const char* who, const Shape& a, const Shape& b);

/// Maps a possibly negative dim to [0, rank); an Error names `who`:
/// `softmax: dim must be in [-2, 1]; got 2 for shape [3, 5]`.
int normalize_dim(const char* who, int dim, const Shape& shape);

}  // namespace weft
