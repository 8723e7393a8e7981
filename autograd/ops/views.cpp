// reshape, permute, transpose, squeeze, unsqueeze, expand, slice, select; contiguous, clone, to.
// A view's gradient is the inverse view of dy; slices put it among zeros, expansions sum it.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace weft {
namespace {

constexpr double kCopyCost = 0.25;  // nanoseconds to copy one

extern const Op kReshape, kPermute, kExpand, kSlice, kClone, kTo;

// Shape with its one -1 worked out.
Shape complete(const Tensor& x, const Shape& shape) {
  Shape full = shape;
  int unknown = -1;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == -1 && unknown < 0) {
      full[unknown = d] = 1;
      continue;
    }
    check(shape[d] >= 0, "reshape: sizes must not be negative, but for one -1; got {}", shape);
  }
  const int64_t known = full.numel();
  if (unknown >= 0 && known > 0) full[unknown] = x.numel() / known;
  check(full.numel() == x.numel() && (unknown < 0 || known > 0),
        "reshape: {} elements do not fit; got shape {} for {}", x.numel(), x.shape(), shape);
  return full;
}

// The strides that give x's elements, in row-major order, the shape; none if it takes a copy.
std::optional<Shape> view_strides(const Tensor& x, const Shape& shape) {
  Shape strides = contiguous_strides(shape);
  if (x.is_contiguous() || x.numel() == 0) return strides;
  int out = shape.rank() - 1;
  for (int d = x.dim() - 1; d >= 0;) {
    // The dims that end at d and step evenly, as one ...
    int64_t size = x.shape()[d], step = x.strides()[d];
    for (--d; d >= 0 && (x.shape()[d] == 1 || size == 1 || x.strides()[d] == step * size); --d) {
      if (size == 1) step = x.strides()[d];
      size *= x.shape()[d];
    }
    // ... must be cut into whole dims of the result.
    int64_t filled = 1;
    for (; out >= 0 && filled < size; --out) {
      strides[out] = filled * step;
      filled *= shape[out];
    }
    if (filled != size) return std::nullopt;
  }
  return strides;
}

void check_defined(const char* who, const Tensor& x) {
  check(x.defined(), "{}: the operand is undefined", who);
}

Tensor copy(const Tensor& x) {
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::copy_strided(x.data<T>(), x.shape(), x.strides(), static_cast<T*>(y.raw()));
  });
  return y;
}

// What slice() took out, among zeros: at first, first + step, ... of n along d.
Tensor put_back(const Tensor& dy, int d, int64_t first, int64_t step, int64_t n) {
  Tensor dx = dy;
  if (step > 1) {  // step - 1 zeros after each element; the end may have fewer
    Shape shape = dy.shape();
    shape[d] *= step;
    const int64_t inner = contiguous_strides(dy.shape())[d];
    const Tensor rows = reshape(dy, {dy.numel() / inner, inner});
    dx = slice(reshape(pad(rows, 1, 0, (step - 1) * inner), shape), d, 0, n - first);
  }
  return pad(dx, d, first, n - first - dx.size(d));
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_defined("reshape", x);
  const Shape full = complete(x, shape);
  const std::optional<Shape> strides = view_strides(x, full);
  const Tensor source = strides ? x : contiguous(x);
  return record(kReshape, source.strided_view(full, strides.value_or(contiguous_strides(full))),
                {source}, [from = x.shape()](Backward& b) { return reshape(b.dy(), from); });
}

Tensor permute(const Tensor& x, const Shape& dims) {
  check_defined("permute", x);
  Shape shape = x.shape(), strides = x.strides(), inverse = dims, seen = Shape::filled(x.dim(), 0);
  bool valid = dims.rank() == x.dim();
  for (int i = 0; valid && i < dims.rank(); ++i) {
    const int d = normalize_dim("permute", static_cast<int>(dims[i]), x.shape());
    valid = seen[d]++ == 0;
    shape[i] = x.shape()[d];
    strides[i] = x.strides()[d];
    inverse[d] = i;
  }
  check(valid, "permute: dims must name each dim of shape {} once; got {}", x.shape(), dims);
  return record(kPermute, x.strided_view(shape, strides), {x},
                [inverse](Backward& b) { return permute(b.dy(), inverse); });
}

Tensor transpose(const Tensor& x, int dim0, int dim1) {
  check_defined("transpose", x);
  Shape dims;
  for (int d = 0; d < x.dim(); ++d) dims.push_back(d);
  std::swap(dims[normalize_dim("transpose", dim0, x.shape())],
            dims[normalize_dim("transpose", dim1, x.shape())]);
  return permute(x, dims);
}

Tensor squeeze(const Tensor& x, int dim) {
  check_defined("squeeze", x);
  const int d = normalize_dim("squeeze", dim, x.shape());
  if (x.dim() == 0 || x.shape()[d] != 1) return x;
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(d);
  strides.erase(d);
  return record(kReshape, x.strided_view(shape, strides), {x},
                [d](Backward& b) { return unsqueeze(b.dy(), d); });
}

Tensor unsqueeze(const Tensor& x, int dim) {
  check_defined("unsqueeze", x);
  check(dim >= -x.dim() - 1 && dim <= x.dim(),
        "unsqueeze: dim must be in [{}, {}]; got {} for shape {}", -x.dim() - 1, x.dim(), dim,
        x.shape());
  const int d = dim < 0 ? dim + x.dim() + 1 : dim;
  Shape shape = x.shape(), strides = x.strides();
  shape.insert(d, 1);
  strides.insert(d, d < x.dim() ? x.shape()[d] * x.strides()[d] : 1);
  return record(kReshape, x.strided_view(shape, strides), {x},
                [d](Backward& b) { return squeeze(b.dy(), d); });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  check_defined("expand", x);
  const int added = shape.rank() - x.dim();
  Shape full = shape, strides = Shape::filled(shape.rank(), 0);
  bool fits = added >= 0;
  for (int d = 0; fits && d < shape.rank(); ++d) {
    const int64_t size = d < added ? 1 : x.shape()[d - added];
    if (full[d] == -1 && d >= added) full[d] = size;
    fits = full[d] >= 0 && (size == full[d] || size == 1);
    if (d >= added && size != 1) strides[d] = x.strides()[d - added];
  }
  check(fits, "expand: only dims of size 1 stretch; got shape {} for {}", x.shape(), shape);
  return record(kExpand, x.strided_view(full, strides), {x},
                [from = x.shape()](Backward& b) { return sum_to(b.dy(), from); });
}

Tensor slice(const Tensor& x, int dim, int64_t start, int64_t end, int64_t step) {
  check_defined("slice", x);
  const int d = normalize_dim("slice", dim, x.shape());
  check(x.dim() > 0, "slice: a tensor of rank 0 has no dim to slice");
  check(step > 0, "slice: step must be positive; got {}", step);
  const int64_t n = x.shape()[d];
  auto bound = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  const int64_t first = bound(start), reach = std::max<int64_t>(bound(end) - first, 0);
  const int64_t by = std::min(step, std::max<int64_t>(reach, 1));
  Shape shape = x.shape(), strides = x.strides();
  shape[d] = (reach + by - 1) / by;
  strides[d] *= by;
  return record(kSlice, x.strided_view(shape, strides, first * x.strides()[d]), {x},
                [d, first, by, n](Backward& b) { return put_back(b.dy(), d, first, by, n); });
}

Tensor select(const Tensor& x, int dim, int64_t index) {
  check_defined("select", x);
  const int d = normalize_dim("select", dim, x.shape());
  check(x.dim() > 0, "select: a tensor of rank 0 has no dim to select from");
  const int64_t n = x.shape()[d];
  check(index >= -n && index < n,
        "select: index must be in [{}, {}]; got {} for dim {} of shape {}", -n, n - 1, index, d,
        x.shape());
  const int64_t i = index < 0 ? index + n : index;
  return squeeze(slice(x, d, i, i + 1), d);
}

Tensor contiguous(const Tensor& x) {
  check_defined("contiguous", x);
  return x.is_contiguous() ? x : clone(x);
}

Tensor clone(const Tensor& x) {
  check_defined("clone", x);
  return record(kClone, copy(x), {x}, [](Backward& b) { return b.dy(); });
}

Tensor to(const Tensor& x, DType dtype) {
  check_defined("to", x);
  if (x.dtype() == dtype) return x;
  const Tensor source = contiguous(x);
  Tensor y(x.shape(), dtype);
  dispatch(x.dtype(), [&](auto from) {
    dispatch(dtype, [&](auto into) {
      using From = typename decltype(from)::type;
      using Into = typename decltype(into)::type;
      const From* px = source.data<From>();
      Into* py = static_cast<Into*>(y.raw());
      parallel_for(x.numel(), grain_of_cost(kCopyCost, 1024), [=](int64_t begin, int64_t end) {
        std::transform(px + begin, px + end, py + begin, [](From v) { return nearest<Into>(v); });
      });
    });
  });
  return record(kTo, y, {source}, [from = x.dtype()](Backward& b) { return to(b.dy(), from); });
}

namespace {

const Op kReshape{
    "reshape", [](Samples& s) {
      s.add("merge", {s.normal({2, 3, 4})}, [](const Tensors& in) {
        return reshape(in[0], {6, -1});
      });
      s.add("of a transposed", {s.transposed({3, 4})},
            [](const Tensors& in) { return reshape(in[0], {12}); });
      s.add("view of a transposed", {s.transposed({4, 6})}, [](const Tensors& in) {
        return reshape(in[0], {2, 2, 1, 3, 2});
      });
      s.add("empty", {s.normal({0, 3})}, [](const Tensors& in) { return reshape(in[0], {3, 0}); });
      s.add("squeeze", {s.normal({2, 1, 3})}, [](const Tensors& in) { return squeeze(in[0], -2); });
      s.add("unsqueeze", {s.transposed({2, 3})},
            [](const Tensors& in) { return unsqueeze(in[0], -1); });
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return unsqueeze(in[0], 3); },
          "unsqueeze: dim must be in [-3, 2]; got 3 for shape [2, 3]");
      s.add_error(
          {s.normal({0})},
          [](const Tensors& in) {
            return reshape(in[0], {int64_t{1} << 32, int64_t{1} << 32});
          },
          "shape: [4294967296, 4294967296] has more elements than can be counted");
      s.add_error(
          {s.normal({2, 3})},
          [](const Tensors& in) {
            return reshape(in[0], {4, -1});
          },
          "reshape: 6 elements do not fit; got shape [2, 3] for [4, -1]");
    }};
const Op kPermute{"permute", [](Samples& s) {
                    s.add("rotate", {s.normal({2, 3, 4})}, [](const Tensors& in) {
                      return permute(in[0], {2, 0, 1});
                    });
                    s.add("transpose", {s.normal({2, 3, 1})},
                          [](const Tensors& in) { return transpose(in[0], 0, -2); });
                    s.add_error(
                        {s.normal({2, 3})},
                        [](const Tensors& in) {
                          return permute(in[0], {0, 0});
                        },
                        "permute: dims must name each dim of shape [2, 3] once; got [0, 0]");
                  }};
const Op kExpand{"expand", [](Samples& s) {
                   s.add("stretch", {s.normal({3, 1})}, [](const Tensors& in) {
                     return expand(in[0], {2, -1, 4});
                   });
                   s.add_error(
                       {s.normal({1, 1})},
                       [](const Tensors& in) {
                         return expand(in[0], {int64_t{1} << 32, int64_t{1} << 32});
                       },
                       "shape: [4294967296, 4294967296] has more elements than can be counted");
                   s.add_error(
                       {s.normal({3, 2})},
                       [](const Tensors& in) {
                         return expand(in[0], {3, 4});
                       },
                       "expand: only dims of size 1 stretch; got shape [3, 2] for [3, 4]");
                 }};
const Op kSlice{
    "slice", [](Samples& s) {
      s.add("middle", {s.normal({5, 3})}, [](const Tensors& in) { return slice(in[0], 0, 1, -1); });
      s.add("nothing", {s.normal({5, 3})}, [](const Tensors& in) { return slice(in[0], 1, 2, 2); });
      s.add("steps", {s.normal({2, 7, 2})},
            [](const Tensors& in) { return slice(in[0], 1, 1, -1, 2); });
      s.add("steps past the end", {s.transposed({3, 8})},
            [](const Tensors& in) { return slice(in[0], 1, 0, 8, 3); });
      s.add("a step beyond all", {s.normal({5})}, [](const Tensors& in) {
        return slice(in[0], 0, 1, 4, std::numeric_limits<int64_t>::max());
      });
      s.add("select", {s.normal({5, 3})}, [](const Tensors& in) { return select(in[0], 1, -1); });
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return slice(in[0], 1, 0, 3, 0); },
          "slice: step must be positive; got 0");
      s.add_error(
          {s.normal({})}, [](const Tensors& in) { return slice(in[0], 0, 0, 1); },
          "slice: a tensor of rank 0 has no dim to slice");
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return select(in[0], 1, 3); },
          "select: index must be in [-3, 2]; got 3 for dim 1 of shape [2, 3]");
      s.add_error(
          {s.normal({})}, [](const Tensors& in) { return select(in[0], 0, 0); },
          "select: a tensor of rank 0 has no dim to select from");
    }};
const Op kClone{
    "clone", [](Samples& s) {
      s.add("transposed", {s.transposed({3, 4})}, [](const Tensors& in) { return clone(in[0]); });
      s.add("contiguous", {s.transposed({3, 4})},
            [](const Tensors& in) { return contiguous(in[0]); });
    }};
const Op kTo{"to", [](Samples& s) {
               s.add("same dtype", {s.normal({3})},
                     [](const Tensors& in) { return to(in[0], in[0].dtype()) * 2; });
               s.add("there and back", {s.integers({3}, 4), s.normal({3})}, [](const Tensors& in) {
                 return to(in[0], in[1].dtype()) * to(in[1], kFloat64);
               });
             }};

}  // namespace
}  // namespace weft
