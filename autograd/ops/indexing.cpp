// index_select, embedding (whole rows) and gather, scatter_add (single elements).
// Taking and adding are each other's gradient, so that index_add is an op too:
//   y = x[index]                       dx = zeros with dy added at index
//   y = zeros with x added at index    dx = dy[index]
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/gather.h>

#include <algorithm>

namespace weft {
namespace {

extern const Op kIndexSelect, kEmbedding, kGather, kScatterAdd, kIndexAdd;

Tensor add_rows(const Tensor& x, const Tensor& index, int64_t rows);

// The index into `table`, or of where `table` goes, as contiguous int64 with every entry in [0, n).
// `what` and `note` word the error. A copy where backward will read it: the user may fill the
// buffer anew before that.
Tensor checked_index(const char* who, const Tensor& table, const Tensor& index, int64_t n,
                     const char* what = "indices", const char* note = "") {
  check(index.defined(), "{}: the {} are undefined", who, what);
  check(index.dtype() == kInt64, "{}: {} must be int64; got {}", who, what,
        to_string(index.dtype()));
  Tensor dense = will_record({table}) ? clone(index) : contiguous(index);
  const int64_t* p = dense.data<int64_t>();
  const int64_t* bad =
      std::find_if(p, p + dense.numel(), [n](int64_t i) { return i < 0 || i >= n; });
  if (bad == p + dense.numel()) return dense;
  Shape at = index.shape();
  int64_t rest = bad - p;
  for (int d = at.rank() - 1; d >= 0; --d) {
    at[d] = rest % index.shape()[d];
    rest /= index.shape()[d];
  }
  fail("{}: {} must be in [0, {}){}; got {} at {}", who, what, n, note, *bad, at);
}

// [rows, ...] -> [index.numel(), ...], not recorded.
Tensor gathered_rows(const Tensor& table, const Tensor& index) {
  const OpScope inside;
  const Tensor x = contiguous(table);
  Shape shape = x.shape();
  shape[0] = index.numel();
  Tensor y(shape, x.dtype());
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::gather_rows(x.data<T>(), index.data<int64_t>(), static_cast<T*>(y.raw()), shape[0],
                         shape[0] ? y.numel() / shape[0] : 0);
  });
  return y;
}

Tensor take_rows(const Tensor& table, const Tensor& index) {
  return record(kIndexSelect, gathered_rows(table, index), {table},
                [index = save(index), rows = table.shape()[0]](Backward& b) {
                  return add_rows(b.dy(), b.saved(index), rows);
                });
}

// zeros [rows, ...] with x [index.numel(), ...] added at `index`, in the order of the index.
Tensor add_rows(const Tensor& input, const Tensor& index, int64_t rows) {
  check(input.size(0) == index.numel(), "index_add: expected {} rows, one an index; got shape {}",
        index.numel(), input.shape());
  const Tensor x = contiguous(input);
  Shape shape = x.shape();
  shape[0] = rows;
  Tensor y = zeros(shape, x.dtype());
  const int64_t count = index.numel();
  dispatch_floating("index_add", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::scatter_add_rows(x.data<T>(), index.data<int64_t>(), static_cast<T*>(y.raw()), count,
                              count ? x.numel() / count : 0);
  });
  return record(kIndexAdd, y, {x},
                [index = save(index)](Backward& b) { return take_rows(b.dy(), b.saved(index)); });
}

// x around dim d as [outer, n, inner].
struct Lanes {
  int64_t outer = 1, inner = 1;
  Lanes(const Shape& shape, int d) {
    for (int i = 0; i < shape.rank(); ++i)
      if (i != d) (i < d ? outer : inner) *= shape[i];
  }
};

int64_t size_along(const Shape& shape, int d) { return shape.rank() ? shape[d] : 1; }

Tensor add_along(const Tensor& x, int d, const Tensor& index, int64_t n);

// x[..., index, ...] along d, where x has the shape of the index but for d.
Tensor take_along(const Tensor& input, int d, const Tensor& index) {
  const Tensor x = contiguous(input);
  const Lanes lanes(index.shape(), d);
  const int64_t n = size_along(x.shape(), d);
  Tensor y(index.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::gather_along(x.data<T>(), index.data<int64_t>(), static_cast<T*>(y.raw()), lanes.outer,
                          n, size_along(index.shape(), d), lanes.inner);
  });
  return record(kGather, y, {x}, [d, index = save(index), n](Backward& b) {
    return add_along(b.dy(), d, b.saved(index), n);
  });
}

// zeros, of size n along d, with x added at the index, whose shape is that of x.
Tensor add_along(const Tensor& input, int d, const Tensor& index, int64_t n) {
  const Tensor x = contiguous(input);
  const Lanes lanes(index.shape(), d);
  Shape shape = x.shape();
  if (shape.rank()) shape[d] = n;
  Tensor y = zeros(shape, x.dtype());
  dispatch_floating("scatter_add", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::scatter_add_along(x.data<T>(), index.data<int64_t>(), static_cast<T*>(y.raw()),
                               lanes.outer, n, size_along(index.shape(), d), lanes.inner);
  });
  return record(kScatterAdd, y, {x}, [d, index = save(index)](Backward& b) {
    return take_along(b.dy(), d, b.saved(index));
  });
}

// The index fits `t` if it has its rank and is nowhere larger, dim `except` aside.
void check_fits(const char* who, const char* what, const Tensor& t, const Tensor& index,
                int except) {
  check(index.dim() == t.dim(), "{}: the index must have the rank of {}; got {} for {}", who, what,
        index.shape(), t.shape());
  bool fits = true;
  for (int d = 0; d < t.dim(); ++d) fits = fits && (d == except || index.size(d) <= t.size(d));
  const std::string but = except < 0 ? std::string() : fmt::format(" but for dim {}", except);
  check(fits, "{}: the index must fit {}{}; got {} for {}", who, what, but, index.shape(),
        t.shape());
}

// The corner of `t` that has the shape of the index, dim `except` aside.
Tensor corner(const Tensor& t, const Tensor& index, int except) {
  Tensor c = t;
  for (int d = 0; d < t.dim(); ++d)
    if (d != except && t.size(d) != index.size(d)) c = slice(c, d, 0, index.size(d));
  return c;
}

}  // namespace

Tensor index_select(const Tensor& x, int dim, const Tensor& index) {
  check(x.defined() && index.defined(), "index_select: an operand is undefined");
  check(x.dim() > 0, "index_select: needs at least one dim; got shape []");
  const int d = normalize_dim("index_select", dim, x.shape());
  check(index.dim() == 1, "index_select: the index must have one dim; got shape {}", index.shape());
  const Tensor rows = checked_index("index_select", x, index, x.size(d));
  if (d == 0) return take_rows(x, rows);
  return transpose(take_rows(transpose(x, 0, d), rows), 0, d);
}

Tensor embedding(const Tensor& ids, const Tensor& weight, std::optional<int64_t> padding_idx) {
  check(ids.defined() && weight.defined(), "embedding: an operand is undefined");
  check(weight.dim() == 2, "embedding: the weight must be [V, D]; got {}", weight.shape());
  const int64_t v = weight.size(0), padding = padding_idx.value_or(0);
  check(padding >= -v && (padding < v || !padding_idx),
        "embedding: padding_idx must be in [-{}, {}); got {}", v, v, padding);
  const Tensor rows =
      reshape(checked_index("embedding", weight, ids, v, "ids", ", the vocabulary"), {-1});
  Shape shape = ids.shape();
  shape.push_back(weight.size(1));
  const Tensor taken = gathered_rows(weight, rows).strided_view(shape, contiguous_strides(shape));
  if (padding_idx) padding_idx = (padding + v) % v;
  return record(kEmbedding, taken, {weight},
                [rows = save(rows), padding_idx, like = weight.shape()](Backward& b) {
                  const Tensor index = b.saved(rows);
                  Tensor dy = reshape(b.dy(), {index.numel(), like[1]});
                  if (padding_idx)
                    dy = masked_fill(dy, unsqueeze(eq(index, static_cast<double>(*padding_idx)), 1),
                                     0);
                  return add_rows(dy, index, like[0]);
                });
}

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  check(x.defined() && index.defined(), "gather: an operand is undefined");
  const int d = normalize_dim("gather", dim, x.shape());
  check_fits("gather", "x", x, index, d);
  const Tensor at = checked_index("gather", x, index, size_along(x.shape(), d));
  return take_along(corner(x, at, d), d, at);
}

Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src) {
  check(x.defined() && index.defined() && src.defined(), "scatter_add: an operand is undefined");
  const int d = normalize_dim("scatter_add", dim, x.shape());
  check_fits("scatter_add", "x", x, index, d);
  check_fits("scatter_add", "src", src, index, -1);
  const Tensor at = checked_index("scatter_add", src, index, size_along(x.shape(), d));
  Tensor added = add_along(corner(src, at, -1), d, at, size_along(x.shape(), d));
  for (int i = 0; i < x.dim(); ++i)
    if (added.size(i) < x.size(i)) added = pad(added, i, 0, x.size(i) - added.size(i));
  return x + added;
}

namespace {

Tensor indices(const std::vector<int64_t>& values, const Shape& shape) {
  return from_vector<int64_t>(values, shape);
}

const Op kIndexSelect{
    "index_select", [](Samples& s) {
      auto f = [](int dim) {
        return [dim](const Tensors& in) { return index_select(in[0], dim, in[1]); };
      };
      s.add("repeated rows", {s.normal({3, 2}), indices({2, 0, 2, 2}, {4})}, f(0));
      s.add("middle dim", {s.normal({2, 3, 2}), indices({1, 1}, {2})}, f(1));
      s.add("transposed", {s.transposed({3, 4}), indices({3, 0}, {2})}, f(-1));
      s.add("vector", {s.normal({3}), indices({1, 1, 0}, {3})}, f(0));
      s.add("nothing", {s.normal({3, 2}), indices({}, {0})}, f(0));
      s.add_error({s.normal({3, 2}), indices({0, 3}, {2})}, f(0),
                  "index_select: indices must be in [0, 3); got 3 at [1]");
      s.add_error({s.normal({3, 2}), indices({0, 1}, {1, 2})}, f(0),
                  "index_select: the index must have one dim; got shape [1, 2]");
      s.add_error({s.normal({3, 2}), s.normal({2})}, f(0),
                  "index_select: indices must be int64; got float64");
      s.add_error({s.normal({}), indices({0}, {1})}, f(0),
                  "index_select: needs at least one dim; got shape []");
    }};

const Op kEmbedding{
    "embedding", [](Samples& s) {
      auto f = [](std::optional<int64_t> padding) {
        return [padding](const Tensors& in) { return embedding(in[0], in[1], padding); };
      };
      s.add("sentences", {indices({1, 0, 4, 4, 2, 1}, {2, 3}), s.normal({5, 3})}, f({}));
      s.add("one id", {indices({2}, {}), s.normal({3, 2})}, f({}));
      s.add("no ids", {indices({}, {2, 0}), s.normal({3, 2})}, f({}));
      s.add("transposed", {indices({2, 2}, {2}), s.transposed({3, 2})}, f({}));
      s.add_error({indices({0, 1, 2, 7}, {2, 2}), s.normal({5, 3})}, f({}),
                  "embedding: ids must be in [0, 5), the vocabulary; got 7 at [1, 1]");
      s.add_error({indices({0}, {1}), s.normal({5})}, f({}),
                  "embedding: the weight must be [V, D]; got [5]");
      s.add_error({indices({0}, {1}), s.normal({5, 3})}, f(5),
                  "embedding: padding_idx must be in [-5, 5); got 5");
    }};

const Op kGather{"gather", [](Samples& s) {
                   auto f = [](int dim) {
                     return [dim](const Tensors& in) { return gather(in[0], dim, in[1]); };
                   };
                   s.add("first dim", {s.normal({3, 2}), s.integers({4, 2}, 3)}, f(0));
                   s.add("last dim", {s.normal({2, 3}), s.integers({2, 5}, 3)}, f(-1));
                   s.add("smaller index", {s.normal({3, 3, 3}), s.integers({2, 4, 3}, 3)}, f(1));
                   s.add("transposed", {s.transposed({3, 4}), s.integers({3, 2}, 4)}, f(1));
                   s.add("rank 0", {s.normal({}), indices({0}, {})}, f(0));
                   s.add("nothing", {s.normal({3, 2}), indices({}, {0, 2})}, f(0));
                   s.add_error({s.normal({2, 3}), indices({0, 1, -1, 2}, {2, 2})}, f(1),
                               "gather: indices must be in [0, 3); got -1 at [1, 0]");
                   s.add_error({s.normal({2, 3}), s.integers({3, 2}, 3)}, f(1),
                               "gather: the index must fit x but for dim 1; got [3, 2] for [2, 3]");
                   s.add_error({s.normal({2, 3}), s.integers({2}, 2)}, f(1),
                               "gather: the index must have the rank of x; got [2] for [2, 3]");
                 }};

const Op kScatterAdd{
    "scatter_add", [](Samples& s) {
      auto f = [](int dim) {
        return [dim](const Tensors& in) { return scatter_add(in[0], dim, in[1], in[2]); };
      };
      s.add("first dim", {s.normal({3, 2}), s.integers({4, 2}, 3), s.normal({4, 2})}, f(0));
      s.add("last dim", {s.normal({2, 3}), s.integers({2, 5}, 3), s.normal({2, 5})}, f(-1));
      s.add("smaller index", {s.normal({3, 3, 3}), s.integers({2, 4, 2}, 3), s.normal({2, 5, 3})},
            f(1));
      s.add("transposed", {s.transposed({3, 4}), s.integers({3, 4}, 4), s.transposed({3, 4})},
            f(1));
      s.add("reused input", {s.normal({3, 3}), s.integers({3, 3}, 3)},
            [](const Tensors& in) { return scatter_add(in[0], 0, in[1], in[0]); });
      s.add_error({s.normal({2, 3}), indices({3}, {1, 1}), s.normal({1, 1})}, f(1),
                  "scatter_add: indices must be in [0, 3); got 3 at [0, 0]");
      s.add_error({s.normal({2, 3}), s.integers({3, 2}, 3), s.normal({3, 2})}, f(1),
                  "scatter_add: the index must fit x but for dim 1; got [3, 2] for [2, 3]");
      s.add_error({s.normal({2, 3}), s.integers({2, 3}, 3), s.normal({2, 2})}, f(1),
                  "scatter_add: the index must fit src; got [2, 3] for [2, 2]");
    }};

const Op kIndexAdd{"index_add", [](Samples& s) {
                     auto f = [](int64_t rows) {
                       return [rows](const Tensors& in) { return add_rows(in[0], in[1], rows); };
                     };
                     s.add("repeated rows", {s.normal({4, 2}), indices({2, 0, 2, 2}, {4})}, f(3));
                     s.add("transposed", {s.transposed({3, 4}), indices({1, 0, 1}, {3})}, f(2));
                     s.add("vector", {s.normal({3}), indices({1, 1, 0}, {3})}, f(4));
                     s.add("nothing", {s.normal({0, 2}), indices({}, {0})}, f(3));
                     s.add_error({s.normal({3, 2}), indices({0, 1}, {2})}, f(3),
                                 "index_add: expected 2 rows, one an index; got shape [3, 2]");
                   }};

}  // namespace
}  // namespace weft
