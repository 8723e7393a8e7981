// cat, stack, split, pad, tril, triu.
//   cat: dx_i = the part of dy that x_i became      split: dx = cat of the parts' gradients
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/gather.h>

#include <algorithm>
#include <limits>

namespace weft {
namespace {

extern const Op kPad, kCat, kSplit;

// Copies x into the part of y that begins at `at` along d.
void write_part(const Tensor& x, Tensor& y, int d, int64_t at) {
  const OpScope inside;
  const Tensor part = y.strided_view(x.shape(), y.strides(), x.numel() ? at * y.strides()[d] : 0);
  const Tensor source = contiguous(x);
  dispatch(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::scatter_strided(source.data<T>(), x.shape(), part.strides(),
                             static_cast<T*>(part.raw()));
  });
}

// The inputs of cat in their common dtype; their shapes agree but for dim d.
Tensors matched(const Tensors& xs, int d) {
  DType dtype = xs[0].dtype();
  for (const Tensor& x : xs) {
    check(x.defined(), "cat: a tensor is undefined");
    Shape same = x.shape();
    if (x.dim() == xs[0].dim()) same[d] = xs[0].size(d);
    check(same == xs[0].shape(), "cat: shapes must agree but for dim {}; got {} and {}", d,
          xs[0].shape(), x.shape());
    dtype = promote(dtype, x.dtype());
  }
  Tensors out;
  for (const Tensor& x : xs) out.push_back(to(x, dtype));
  return out;
}

// Where row - column + diagonal >= 0: the lower triangle. Diagonals beyond the corners are as good
// as those just beyond.
Tensor lower(const Tensor& x, int64_t diagonal) {
  const OpScope inside;
  diagonal = std::clamp(diagonal, -x.size(-2), x.size(-1));
  return ge(unsqueeze(arange(x.size(-2)), 1) + static_cast<double>(diagonal), arange(x.size(-1)));
}

// The tensor whose parts along d these are, if they lie in one storage as a split would have left
// them; else undefined.
Tensor rejoined(const Tensors& parts, int d, const Shape& whole) {
  const Tensor& first = parts[0];
  int64_t offset = 0;
  for (const Tensor& t : parts) {
    const auto* at = static_cast<const char*>(first.raw()) +
                     offset * first.strides()[d] * static_cast<int64_t>(size_of(first.dtype()));
    if (!t.same_storage(first) || !(t.strides() == first.strides()) || t.raw() != at) return {};
    offset += t.size(d);
  }
  return first.strided_view(whole, first.strides());
}

void check_matrix(const char* who, const Tensor& x) {
  check(x.defined(), "{}: the operand is undefined", who);
  check(x.dim() >= 2, "{}: needs at least two dims; got shape {}", who, x.shape());
}

}  // namespace

Tensor pad(const Tensor& x, int dim, int64_t before, int64_t after, double value) {
  check(x.defined(), "pad: the operand is undefined");
  check(x.dim() > 0, "pad: needs at least one dim; got shape {}", x.shape());
  const int d = normalize_dim("pad", dim, x.shape());
  check(before >= 0 && after >= 0, "pad: before and after must not be negative; got {} and {}",
        before, after);
  check_number("pad", value, x.dtype());
  Shape shape = x.shape();
  shape[d] = add_sizes("pad", shape[d], add_sizes("pad", before, after));
  Tensor y = full(shape, value, x.dtype());
  write_part(x, y, d, before);
  return record(kPad, y, {x}, [d, before, n = x.size(d)](Backward& b) {
    return slice(b.dy(), d, before, before + n);
  });
}

Tensor cat(const Tensors& xs, int dim) {
  check(!xs.empty(), "cat: needs at least one tensor");
  check(xs[0].defined(), "cat: a tensor is undefined");
  check(xs[0].dim() > 0, "cat: needs at least one dim; got shape {}", xs[0].shape());
  const int d = normalize_dim("cat", dim, xs[0].shape());
  const Tensors parts = matched(xs, d);
  Shape shape = parts[0].shape();
  std::vector<int64_t> sizes;
  shape[d] = 0;
  for (const Tensor& x : parts) {
    sizes.push_back(x.size(d));
    shape[d] = add_sizes("cat", shape[d], sizes.back());
  }
  Tensor y(shape, parts[0].dtype());
  int64_t at = 0;
  for (const Tensor& x : parts) {
    write_part(x, y, d, at);
    at += x.size(d);
  }
  return record(kCat, y, parts, [d, sizes](Backward& b) {
    Tensors dx;
    int64_t begin = 0;
    for (size_t i = 0; i < sizes.size(); begin += sizes[i++])
      dx.push_back(b.needs(static_cast<int>(i)) ? slice(b.dy(), d, begin, begin + sizes[i])
                                                : Tensor());
    return dx;
  });
}

Tensor stack(const Tensors& xs, int dim) {
  check(!xs.empty(), "stack: needs at least one tensor");
  Tensors rows;
  for (const Tensor& x : xs) {
    check(x.defined(), "stack: a tensor is undefined");
    check(x.shape() == xs[0].shape(), "stack: shapes must agree; got {} and {}", xs[0].shape(),
          x.shape());
    const int rank = x.dim() + 1;
    check(dim >= -rank && dim < rank, "stack: dim must be in [{}, {}]; got {} for shape {}", -rank,
          rank - 1, dim, x.shape());
    rows.push_back(unsqueeze(x, dim));
  }
  return cat(rows, dim);
}

Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int dim) {
  check(x.defined(), "split: the operand is undefined");
  check(x.dim() > 0, "split: needs at least one dim; got shape {}", x.shape());
  const int d = normalize_dim("split", dim, x.shape());
  int64_t left = x.size(d);
  bool fits = true;
  for (int64_t size : sizes) {
    fits = fits && size >= 0 && size <= left;
    if (fits) left -= size;
  }
  check(fits && left == 0,
        "split: sizes must add up to {}, the size of dim {}; got [{}] for shape {}", x.size(d), d,
        fmt::join(sizes, ", "), x.shape());
  Tensors parts;
  int64_t at = 0;
  for (int64_t size : sizes) {
    Shape shape = x.shape();
    shape[d] = size;
    parts.push_back(x.strided_view(shape, x.strides(), at * x.strides()[d]));
    at += size;
  }
  return record_all(kSplit, parts, {x},
                    [sizes, d, shape = x.shape(), dtype = x.dtype()](Backward& b) {
                      Tensors dy;
                      for (size_t i = 0; i < sizes.size(); ++i) {
                        const Tensor& given = b.dy(static_cast<int>(i));
                        Shape part = shape;
                        part[d] = sizes[i];
                        dy.push_back(given.defined() ? given : zeros(part, dtype));
                      }
                      // Gradients of packed projections come as parts of one tensor.
                      const Tensor whole = b.first_order() ? rejoined(dy, d, shape) : Tensor();
                      return whole.defined() ? whole : cat(dy, d);
                    });
}

Tensors split(const Tensor& x, int64_t size, int dim) {
  check(x.defined(), "split: the operand is undefined");
  check(size > 0, "split: the size must be positive; got {}", size);
  std::vector<int64_t> sizes;
  int64_t left = x.size(dim);
  do sizes.push_back(std::min(left, size));  // one part, though empty, of an empty dim
  while ((left -= size) > 0);
  return split(x, sizes, dim);
}

Tensor tril(const Tensor& x, int64_t diagonal) {
  check_matrix("tril", x);
  return where(lower(x, diagonal), x, zeros({}, x.dtype()));
}

Tensor triu(const Tensor& x, int64_t diagonal) {
  check_matrix("triu", x);
  const int64_t below = diagonal == std::numeric_limits<int64_t>::min() ? diagonal : diagonal - 1;
  return where(lower(x, below), zeros({}, x.dtype()), x);
}

namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

const Op kPad{
    "pad", [](Samples& s) {
      s.add("both sides", {s.normal({2, 3})},
            [](const Tensors& in) { return pad(in[0], 1, 2, 1, 0.5); });
      s.add("transposed", {s.transposed({2, 3})},
            [](const Tensors& in) { return pad(in[0], 0, 0, 2); });
      s.add("empty", {s.normal({2, 0})}, [](const Tensors& in) { return pad(in[0], -1, 1, 1); });
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return pad(in[0], 1, -1, 0); },
          "pad: before and after must not be negative; got -1 and 0");
      s.add_error(
          {s.normal({2})}, [](const Tensors& in) { return pad(in[0], 0, kHuge, kHuge); },
          "pad: 9223372036854775807 + 9223372036854775807 is no size");
      s.add_error(
          {s.normal({2})}, [](const Tensors& in) { return pad(in[0], 0, 0, kHuge); },
          "pad: 2 + 9223372036854775807 is no size");
      s.add_error(
          {s.normal({})}, [](const Tensors& in) { return pad(in[0], 0, 1, 0); },
          "pad: needs at least one dim; got shape []");
    }};

const Op kCat{"cat", [](Samples& s) {
                auto f = [](int dim) { return [dim](const Tensors& in) { return cat(in, dim); }; };
                s.add("columns", {s.normal({2, 3}), s.normal({2, 1}), s.normal({2, 2})}, f(1));
                s.add("rows", {s.normal({2, 3}), s.normal({1, 3})}, f(-2));
                s.add("middle", {s.normal({2, 1, 2}), s.normal({2, 3, 2})}, f(1));
                s.add("transposed", {s.transposed({2, 3}), s.normal({4, 3})}, f(0));
                s.add("an empty one", {s.normal({2, 0}), s.normal({2, 3})}, f(1));
                s.add("one", {s.normal({3})}, f(0));
                s.add("reused input", {s.normal({2, 3})}, [](const Tensors& in) {
                  return cat({in[0], in[0]}, 0);
                });
                s.add_error({s.normal({2, 3}), s.normal({3, 3})}, f(1),
                            "cat: shapes must agree but for dim 1; got [2, 3] and [3, 3]");
                s.add_error({s.normal({2, 3}), s.normal({3})}, f(0),
                            "cat: shapes must agree but for dim 0; got [2, 3] and [3]");
                s.add_error(
                    {s.normal({1})},
                    [](const Tensors& in) {
                      const Tensor stretched = expand(in[0], {kHuge});
                      return cat({stretched, stretched}, 0);
                    },
                    "cat: 9223372036854775807 + 9223372036854775807 is no size");
                s.add_error({}, f(0), "cat: needs at least one tensor");
                s.add_error({s.normal({})}, f(0), "cat: needs at least one dim; got shape []");
              }};

// A composition of unsqueeze and cat.
const Op kStack{
    "stack", [](Samples& s) {
      auto f = [](int dim) { return [dim](const Tensors& in) { return stack(in, dim); }; };
      for (int dim : {0, 1, 2, -1})
        s.add(fmt::format("dim {}", dim), {s.normal({2, 3}), s.normal({2, 3})}, f(dim));
      s.add("numbers", {s.normal({}), s.normal({})}, f(0));
      s.add_error({s.normal({2, 3}), s.normal({3, 2})}, f(0),
                  "stack: shapes must agree; got [2, 3] and [3, 2]");
      s.add_error({s.normal({2})}, f(2), "stack: dim must be in [-2, 1]; got 2 for shape [2]");
      s.add_error({}, f(0), "stack: needs at least one tensor");
    }};

const Op kSplit{
    "split", [](Samples& s) {
      s.add("even", {s.normal({2, 4})}, [](const Tensors& in) { return split(in[0], 2, 1); });
      s.add("rest", {s.normal({5, 2})}, [](const Tensors& in) { return split(in[0], 2, 0); });
      s.add("sizes", {s.normal({2, 4, 2})}, [](const Tensors& in) {
        return split(in[0], {1, 0, 3}, -2);
      });
      s.add("transposed", {s.transposed({3, 4})},
            [](const Tensors& in) { return split(in[0], 3, 1); });
      s.add("empty", {s.normal({2, 0})}, [](const Tensors& in) { return split(in[0], 3, 1); });
      s.add("a part unused", {s.normal({4, 2})},
            [](const Tensors& in) { return split(in[0], 1, 0).at(2) * 2; });
      s.add_error(
          {s.normal({2, 4})},
          [](const Tensors& in) {
            return split(in[0], {1, 2}, 1);
          },
          "split: sizes must add up to 4, the size of dim 1; got [1, 2] for shape [2, 4]");
      s.add_error(
          {s.normal({2, 4})},
          [](const Tensors& in) {
            return split(in[0], {kHuge, kHuge, 6}, 1);
          },
          "split: sizes must add up to 4, the size of dim 1; got [9223372036854775807, "
          "9223372036854775807, 6] for shape [2, 4]");
      s.add_error(
          {s.normal({2, 4})}, [](const Tensors& in) { return split(in[0], 0, 1); },
          "split: the size must be positive; got 0");
      s.add_error(
          {s.normal({})},
          [](const Tensors& in) { return split(in[0], std::vector<int64_t>{1}, 0); },
          "split: needs at least one dim; got shape []");
    }};

template <Tensor (*f)(const Tensor&, int64_t)>
void add_triangles(Samples& s, const char* error) {
  for (int64_t diagonal : std::vector<int64_t>{-1, 0, 2, -kHuge - 1, kHuge})
    s.add(fmt::format("diagonal {}", diagonal), {s.normal({3, 4})},
          [diagonal](const Tensors& in) { return f(in[0], diagonal); });
  s.add("batch", {s.transposed({2, 4, 3})}, [](const Tensors& in) { return f(in[0], 0); });
  s.add("empty", {s.normal({0, 3})}, [](const Tensors& in) { return f(in[0], 0); });
  s.add_error(
      {s.normal({3})}, [](const Tensors& in) { return f(in[0], 0); }, error);
}

// Compositions of where and a constant mask.
const Op kTril{"tril", [](Samples& s) {
                 add_triangles<tril>(s, "tril: needs at least two dims; got shape [3]");
               }};
const Op kTriu{"triu", [](Samples& s) {
                 add_triangles<triu>(s, "triu: needs at least two dims; got shape [3]");
               }};

}  // namespace
}  // namespace weft
