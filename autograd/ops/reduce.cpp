// sum, mean, var, max, min, argmax, logsumexp, over any dims.
//   mean = sum / n     var = sum (x - mean)^2 / (n - correction)
//   logsumexp = m + log s,  s = sum e^(x - m),  m = max x
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/reduce.h>

#include <algorithm>

namespace weft {
namespace {

extern const Op kSum, kMean, kVar, kMax, kMin, kLogsumexp;

// A reduction as a kernel sees it: x as contiguous [outer, n, inner] and the result's shapes.
struct Reduction3 {
  Tensor x;
  int64_t outer = 1, n = 1, inner = 1;
  Shape kept;     // the reduced dims as 1
  Shape dropped;  // without them
};

Reduction3 arrange(const char* who, const Tensor& x, const Shape& dims) {
  check(x.defined(), "{}: the operand is undefined", who);
  Shape reduced = Shape::filled(x.dim(), dims.rank() == 0 ? 1 : 0);
  for (int64_t d : dims) {
    int64_t& mark = reduced[normalize_dim(who, static_cast<int>(d), x.shape())];
    check(x.dim() == 0 || mark++ == 0, "{}: a dim is named twice; got {} for shape {}", who, dims,
          x.shape());
  }
  Reduction3 r;
  r.kept = x.shape();
  Shape order;  // kept dims, then reduced ones: only used if the reduced dims are not neighbours
  int runs = 0;
  for (int d = 0; d < x.dim(); ++d) {
    if (reduced[d]) {
      r.kept[d] = 1;
      r.n *= x.shape()[d];
      runs += d == 0 || !reduced[d - 1];
    } else {
      r.dropped.push_back(x.shape()[d]);
      order.push_back(d);
      (runs == 0 ? r.outer : r.inner) *= x.shape()[d];
    }
  }
  if (runs <= 1) {
    r.x = contiguous(x);
    return r;
  }
  for (int d = 0; d < x.dim(); ++d)
    if (reduced[d]) order.push_back(d);
  r.x = contiguous(permute(x, order));
  r.outer *= r.inner;
  r.inner = 1;
  return r;
}

template <class F>
void dispatch_numbers(const char* who, DType dtype, F&& f) {
  dispatch(dtype, [&](auto tag) {
    if constexpr (std::is_same_v<typename decltype(tag)::type, bool>)
      fail("{}: expected numbers; got bool", who);
    else
      f(tag);
  });
}

using Extremum = Tensor (*)(const Tensor&, const Shape&, bool);

// The gradient goes to the elements that equal the extremum, in equal shares.
Tensor share_among_ties(Backward& b, const Saved& sx, const Saved& sy, const Shape& kept) {
  const Tensor x = b.saved(sx);
  const Tensor hit = to(eq(x, reshape(b.saved(sy), kept)), x.dtype());
  Shape dims;
  for (int d = 0; d < x.dim(); ++d)
    if (kept[d] != x.shape()[d]) dims.push_back(d);
  const Tensor count = dims.rank() ? sum(hit, dims, true) : hit;
  return hit / count * reshape(b.dy(), kept);
}

template <class Kernel>
Tensor extremum(const Op& op, const Tensor& x, const Shape& dims, bool keepdim, Kernel kernel) {
  const OpScope inside;
  const Reduction3 r = arrange(op.name, x, dims);
  check(r.n > 0, "{}: needs at least one element; got shape {} and dims {}", op.name, x.shape(),
        dims);
  Tensor y(keepdim ? r.kept : r.dropped, x.dtype());
  dispatch_numbers(op.name, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernel(r.x.data<T>(), static_cast<T*>(y.raw()), nullptr, r.outer, r.n, r.inner);
  });
  return y;
}

Shape kept_shape(const char* who, const Tensor& x, const Shape& dims) {
  Shape kept = dims.rank() == 0 ? Shape::filled(x.dim(), 1) : x.shape();
  for (int64_t d : dims)
    if (x.dim()) kept[normalize_dim(who, static_cast<int>(d), x.shape())] = 1;
  return kept;
}

Reduction3 arrange_floating(const char* who, const Tensor& x, const Shape& dims) {
  check(x.defined() && is_floating(x.dtype()), "{}: expected a floating dtype; got {}", who,
        x.defined() ? to_string(x.dtype()) : "an undefined tensor");
  const OpScope inside;
  return arrange(who, x, dims);
}

// x less its mean, and less what rounding took from the mean, whose derivative is 0.
Tensor deviation(const Tensor& x, const Shape& dims) {
  const Tensor d = x - mean(x, dims, true);
  return d - mean(d.detach(), dims, true);
}

}  // namespace

Tensor sum(const Tensor& x, const Shape& dims, bool keepdim) {
  if (x.defined() && x.dtype() == kBool) return sum(to(x, kInt64), dims, keepdim);
  Reduction3 r;
  {
    const OpScope inside;
    r = arrange("sum", x, dims);
  }
  Tensor y(keepdim ? r.kept : r.dropped, x.dtype());
  dispatch_numbers("sum", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::sum(r.x.data<T>(), static_cast<T*>(y.raw()), r.outer, r.n, r.inner);
  });
  return record(kSum, y, {x}, [kept = r.kept, shape = x.shape()](Backward& b) {
    return expand(reshape(b.dy(), kept), shape);
  });
}

Tensor mean(const Tensor& x, const Shape& dims, bool keepdim) {
  const Reduction3 r = arrange_floating("mean", x, dims);
  Tensor y(keepdim ? r.kept : r.dropped, x.dtype());
  dispatch_floating("mean", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::mean(r.x.data<T>(), static_cast<T*>(y.raw()), r.outer, r.n, r.inner);
  });
  return record(kMean, y, {x}, [kept = r.kept, shape = x.shape(), n = r.n](Backward& b) {
    return expand(reshape(b.dy() / static_cast<double>(n), kept), shape);
  });
}

Tensor var(const Tensor& x, const Shape& dims, int correction, bool keepdim) {
  const Reduction3 r = arrange_floating("var", x, dims);
  const double divisor = std::max(static_cast<double>(r.n) - correction, 0.0);
  Tensor y(keepdim ? r.kept : r.dropped, x.dtype());
  dispatch_floating("var", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::var(r.x.data<T>(), static_cast<T*>(y.raw()), r.outer, r.n, r.inner, divisor);
  });
  return record(kVar, y, {x}, [x = save(x), dims, kept = r.kept, divisor](Backward& b) {
    return deviation(b.saved(x), dims) * reshape(b.dy() * (2 / divisor), kept);
  });
}

Tensor max(const Tensor& x, const Shape& dims, bool keepdim) {
  Tensor y = extremum(kMax, x, dims, keepdim, [](auto... args) { kernels::max(args...); });
  return record(kMax, y, {x},
                [x = save(x), y = save_output(y), kept = kept_shape("max", x, dims)](Backward& b) {
                  return share_among_ties(b, x, y, kept);
                });
}

Tensor min(const Tensor& x, const Shape& dims, bool keepdim) {
  Tensor y = extremum(kMin, x, dims, keepdim, [](auto... args) { kernels::min(args...); });
  return record(kMin, y, {x},
                [x = save(x), y = save_output(y), kept = kept_shape("min", x, dims)](Backward& b) {
                  return share_among_ties(b, x, y, kept);
                });
}

Tensor argmax(const Tensor& x, int dim, bool keepdim) {
  const OpScope inside;
  const Reduction3 r = arrange("argmax", x, {dim});
  check(r.n > 0, "argmax: needs at least one element; got shape {} and dim {}", x.shape(), dim);
  Tensor index(keepdim ? r.kept : r.dropped, kInt64), largest(r.dropped, x.dtype());
  dispatch_numbers("argmax", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::max(r.x.data<T>(), static_cast<T*>(largest.raw()), static_cast<int64_t*>(index.raw()),
                 r.outer, r.n, r.inner);
  });
  return index;
}

Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim) {
  Reduction3 r;
  {
    const OpScope inside;
    r = arrange("logsumexp", x, dims);
  }
  const Tensor y(keepdim ? r.kept : r.dropped, x.dtype()), top(r.kept, x.dtype()),
      log_total(r.kept, x.dtype());
  dispatch_floating("logsumexp", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto out = [](const Tensor& t) { return static_cast<T*>(t.raw()); };
    kernels::logsumexp(r.x.data<T>(), out(y), out(top), out(log_total), r.outer, r.n, r.inner);
  });
  // y = top + log_total rounds the latter away where the former is large, so the slopes are made of
  // both. log_total is an output of the node: gradients of gradients find the way back through it.
  return record_all(kLogsumexp, {y, log_total}, {x},
                    [x = save(x), top = save(top), log_total = save_output(log_total, 1),
                     kept = r.kept](Backward& b) {
                      const Tensor slope = exp(b.saved(x) - b.saved(top) - b.saved(log_total));
                      Tensor d = b.dy(0).defined() ? slope * reshape(b.dy(0), kept) : Tensor();
                      if (b.dy(1).defined())
                        d = d.defined() ? d + slope * b.dy(1) : slope * b.dy(1);
                      return Tensors{d};
                    })[0];
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int added = x.dim() - shape.rank();
  Shape dims;
  bool fits = added >= 0;
  for (int d = 0; fits && d < x.dim(); ++d)
    if (d < added || (shape[d - added] == 1 && x.size(d) != 1))
      dims.push_back(d);
    else
      fits = shape[d - added] == x.size(d);
  check(fits, "sum_to: expected a shape that broadcasts to {}; got {}", x.shape(), shape);
  const Tensor total = dims.rank() ? sum(x, dims, true) : x;
  return reshape(total, shape);
}

namespace {

const Op kSum{
    "sum", [](Samples& s) {
      s.add("all", {s.normal({2, 3})}, [](const Tensors& in) { return sum(in[0]); });
      s.add("first dim", {s.normal({4, 3})}, [](const Tensors& in) { return sum(in[0], {0}); });
      s.add("middle dim, kept", {s.normal({2, 3, 4})},
            [](const Tensors& in) { return sum(in[0], {-2}, true); });
      s.add("outer dims", {s.normal({2, 3, 4})}, [](const Tensors& in) {
        return sum(in[0], {0, 2});
      });
      s.add("transposed", {s.transposed({3, 4})},
            [](const Tensors& in) { return sum(in[0], {1}); });
      s.add("empty", {s.normal({0, 3})}, [](const Tensors& in) { return sum(in[0], {0}); });
      s.add("sum_to", {s.normal({2, 3, 4})}, [](const Tensors& in) {
        return sum_to(in[0], {3, 1});
      });
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return sum(in[0], {2}); },
          "sum: dim must be in [-2, 1]; got 2 for shape [2, 3]");
      s.add_error(
          {s.normal({2, 3})}, [](const Tensors& in) { return sum_to(in[0], {2}); },
          "sum_to: expected a shape that broadcasts to [2, 3]; got [2]");
      s.add_error(
          {s.normal({3})},
          [](const Tensors& in) {
            return sum_to(in[0], {1, 3});
          },
          "sum_to: expected a shape that broadcasts to [3]; got [1, 3]");
    }};
const Op kMean{"mean", [](Samples& s) {
                 s.add("all", {s.normal({2, 3})}, [](const Tensors& in) { return mean(in[0]); });
                 s.add("outer dims, kept", {s.normal({2, 3, 2})}, [](const Tensors& in) {
                   return mean(in[0], {0, -1}, true);
                 });
                 s.add_error(
                     {s.integers({3}, 2)}, [](const Tensors& in) { return mean(in[0]); },
                     "mean: expected a floating dtype; got int64");
               }};
const Op kVar{"var", [](Samples& s) {
                s.add("all", {s.normal({2, 3})}, [](const Tensors& in) { return var(in[0]); });
                s.add("of the population", {s.normal({4, 3})},
                      [](const Tensors& in) { return var(in[0], {0}, 0, true); });
                s.add("transposed", {s.transposed({3, 4})},
                      [](const Tensors& in) { return var(in[0], {1}); });
                s.add_error(
                    {s.normal({2, 3})},
                    [](const Tensors& in) {
                      return var(in[0], {1, 1});
                    },
                    "var: a dim is named twice; got [1, 1] for shape [2, 3]");
              }};
const Op kMax{
    "max", [](Samples& s) {
      s.add("last dim", {s.distinct({3, 5})}, [](const Tensors& in) { return max(in[0], {-1}); });
      s.add("all", {s.distinct({2, 3})}, [](const Tensors& in) { return max(in[0]); });
      s.add_error(
          {s.normal({2, 0})}, [](const Tensors& in) { return max(in[0], {1}); },
          "max: needs at least one element; got shape [2, 0] and dims [1]");
      s.add_error(
          {s.booleans({3})}, [](const Tensors& in) { return max(in[0]); },
          "max: expected numbers; got bool");
    }};
const Op kMin{"min", [](Samples& s) {
                s.add("first dim, kept", {s.distinct({3, 5})},
                      [](const Tensors& in) { return min(in[0], {0}, true); });
              }};
const Op kLogsumexp{"logsumexp", [](Samples& s) {
                      s.add("last dim", {s.normal({3, 5})},
                            [](const Tensors& in) { return logsumexp(in[0], {-1}); });
                      s.add("outer dims, kept", {s.normal({2, 3, 2})}, [](const Tensors& in) {
                        return logsumexp(in[0], {0, 2}, true);
                      });
                    }};

}  // namespace
}  // namespace weft
