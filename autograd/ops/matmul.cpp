// Matrix products.   c = a b:  da = dc b^T,  db = a^T dc
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>

namespace weft {
namespace {

extern const Op kMatmul;

// A matrix as BLAS sees it: the last two dims, row-major or stored transposed.
struct Matrix {
  Tensor t;
  bool transposed = false;
  int64_t row_stride = 1;
};

bool steps_like_rows(int64_t rows, int64_t cols, int64_t row_step, int64_t col_step) {
  return (cols <= 1 || col_step == 1) && (rows <= 1 || row_step >= std::max<int64_t>(cols, 1));
}

Matrix as_matrix(const Tensor& t) {
  const int r = t.dim() - 2, c = t.dim() - 1;
  const int64_t rows = t.shape()[r], cols = t.shape()[c], rs = t.strides()[r], cs = t.strides()[c];
  if (steps_like_rows(rows, cols, rs, cs))
    return {t, false, rows <= 1 ? std::max<int64_t>(cols, 1) : rs};
  if (steps_like_rows(cols, rows, cs, rs))
    return {t, true, cols <= 1 ? std::max<int64_t>(rows, 1) : cs};
  return {contiguous(t), false, std::max<int64_t>(cols, 1)};
}

// The batch dims of one operand as the two steps that gemm_batched knows, `out`, which are 0
// before; false if they need more.
bool two_steps(const Shape& batch, const Shape& strides, int split, BatchStride& out) {
  auto merge = [&](int begin, int end, int64_t& step) {
    int64_t below = 1;
    bool any = false;
    for (int d = end - 1; d >= begin; --d) {
      if (batch[d] == 1) continue;
      if (any && strides[d] != step * below) return false;
      if (!any) step = strides[d];
      any = true;
      below *= batch[d];
    }
    return true;
  };
  return merge(0, split, out.outer) && merge(split, batch.rank(), out.inner);
}

Shape batch_dims(const Tensor& t) {
  return Shape(std::span(t.shape().begin(), static_cast<size_t>(t.dim() - 2)));
}

// [..., m, k] x [..., k, n] for ranks of 2 and more.
Tensor product(const Tensor& a, const Tensor& b) {
  const OpScope inside;
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  Shape batch = broadcast_shapes("matmul", batch_dims(a), batch_dims(b)), shape = batch;
  shape.push_back(m);
  shape.push_back(n);
  Matrix x = as_matrix(a), y = as_matrix(b);
  Tensor c(shape, a.dtype());
  auto strides_of = [&](const Tensor& t) {
    Shape s = Shape::filled(batch.rank(), 0);
    for (int d = 0; d < t.dim() - 2; ++d)
      if (t.shape()[d] != 1) s[d + batch.rank() - (t.dim() - 2)] = t.strides()[d];
    return s;
  };
  const int split = std::max(batch.rank() - 1, 0);
  BatchStride sx, sy;
  if (!two_steps(batch, strides_of(x.t), split, sx)) {
    x = {contiguous(expand(x.t,
                           [&] {
                             Shape s = batch;
                             s.push_back(m);
                             s.push_back(k);
                             return s;
                           }())),
         false, k};
    two_steps(batch, strides_of(x.t), split, sx);
  }
  if (!two_steps(batch, strides_of(y.t), split, sy)) {
    y = {contiguous(expand(y.t,
                           [&] {
                             Shape s = batch;
                             s.push_back(k);
                             s.push_back(n);
                             return s;
                           }())),
         false, n};
    two_steps(batch, strides_of(y.t), split, sy);
  }
  const int64_t inner = batch.rank() ? batch.back() : 1,
                outer = batch.numel() / std::max<int64_t>(inner, 1);
  dispatch_floating("matmul", a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = static_cast<T*>(c.raw());
    const int64_t ld = std::max<int64_t>(n, 1);
    if (outer * inner == 1)
      gemm<T>(x.transposed, y.transposed, m, n, k, T(1), x.t.data<T>(), x.row_stride, y.t.data<T>(),
              y.row_stride, T(0), out, ld);
    else
      gemm_batched<T>(x.transposed, y.transposed, outer, inner, m, n, k, T(1), x.t.data<T>(),
                      x.row_stride, sx, y.t.data<T>(), y.row_stride, sy, T(0), out, ld,
                      {inner * m * n, m * n});
  });
  return c;
}

Tensor swap_last(const Tensor& t) { return transpose(t, -2, -1); }

// Gradient of the right operand when it is one matrix for a whole batch: the batch is folded into
// the rows, so that it is one product and no sum.
Tensor shared_right_gradient(const Tensor& a, const Tensor& dy) {
  const int64_t rows = a.numel() / a.size(-1);
  return matmul(swap_last(reshape(a, {rows, a.size(-1)})), reshape(dy, {rows, dy.size(-1)}));
}

}  // namespace

Tensor matmul(const Tensor& x, const Tensor& z) {
  check(x.defined() && z.defined(), "matmul: an operand is undefined");
  check(x.dim() > 0 && z.dim() > 0, "matmul: needs at least one dim on each side; got {} x {}",
        x.shape(), z.shape());
  if (x.dim() == 1) return squeeze(matmul(unsqueeze(x, 0), z), z.dim() == 1 ? 0 : -2);
  if (z.dim() == 1) return squeeze(matmul(x, unsqueeze(z, 1)), -1);
  check(x.size(-1) == z.size(-2), "matmul: inner dimensions must agree; got {} x {}", x.shape(),
        z.shape());
  const DType dtype = promote(x.dtype(), z.dtype());
  const Tensor a = to(x, dtype), b = to(z, dtype);
  if (a.dim() > 2 && b.dim() == 2 && a.is_contiguous() &&
      a.numel() > 0) {  // fold the batch into rows
    Shape shape = a.shape();
    shape[a.dim() - 1] = b.size(1);
    return reshape(matmul(reshape(a, {-1, a.size(-1)}), b), shape);
  }
  try {
    broadcast_shapes("", batch_dims(a), batch_dims(b));
  } catch (const Error&) {
    fail("matmul: batch dimensions must broadcast; got {} x {}", x.shape(), z.shape());
  }
  return record(kMatmul, product(a, b), {a, b}, [a = save(a), b = save(b)](Backward& g) {
    const Tensor u = g.saved(a), v = g.saved(b);
    Tensors d(2);
    if (g.needs(0)) d[0] = sum_to(matmul(g.dy(), swap_last(v)), u.shape());
    if (g.needs(1))
      d[1] = v.dim() == 2 && u.dim() > 2 && u.numel() > 0
                 ? shared_right_gradient(u, g.dy())
                 : sum_to(matmul(swap_last(u), g.dy()), v.shape());
    return d;
  });
}

namespace {

void add_products(Samples& s, std::initializer_list<std::pair<Shape, Shape>> shapes) {
  for (const auto& pair : shapes)
    s.add(to_string(pair.first) + " x " + to_string(pair.second),
          {s.normal(pair.first), s.normal(pair.second)},
          [](const Tensors& in) { return matmul(in[0], in[1]); });
}

const Op kMatmul{
    "matmul", [](Samples& s) {
      add_products(s, {{{2, 3}, {3, 4}},
                       {{3}, {3}},
                       {{2, 3}, {3}},
                       {{3}, {3, 4}},
                       {{2, 3, 4}, {4, 5}},
                       {{2, 3, 4}, {2, 4, 2}},
                       {{2, 1, 3, 2}, {4, 2, 3}},
                       {{3, 2}, {2, 2, 4}},
                       {{2, 3, 4}, {4}},
                       {{1, 3}, {3, 1}},
                       {{0, 3}, {3, 2}},
                       {{2, 0}, {0, 3}}});
      s.add("transposed", {s.transposed({3, 4}), s.transposed({4, 2})},
            [](const Tensors& in) { return matmul(in[0], in[1]); });
      s.add("one row, stored as a column", {s.transposed({1, 5}), s.normal({5, 3})},
            [](const Tensors& in) { return matmul(in[0], in[1]); });
      s.add("a batch with no columns", {s.transposed({2, 3, 4}), s.normal({4, 0})},
            [](const Tensors& in) { return matmul(in[0], in[1]); });
      s.add("reused input", {s.normal({3, 3})},
            [](const Tensors& in) { return matmul(in[0], in[0]); });
      s.add("with its transpose", {s.normal({2, 3})},
            [](const Tensors& in) { return matmul(in[0], transpose(in[0], 0, 1)); });
      auto f = [](const Tensors& in) { return matmul(in[0], in[1]); };
      s.add_error({s.normal({8, 16, 32}), s.normal({8, 64, 16})}, f,
                  "matmul: inner dimensions must agree; got [8, 16, 32] x [8, 64, 16]");
      s.add_error({s.normal({2, 3, 4}), s.normal({3, 4, 5})}, f,
                  "matmul: batch dimensions must broadcast; got [2, 3, 4] x [3, 4, 5]");
      s.add_error({s.normal({}), s.normal({3})}, f,
                  "matmul: needs at least one dim on each side; got [] x [3]");
    }};

}  // namespace
}  // namespace weft
