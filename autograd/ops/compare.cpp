// Comparisons and logic (bool results, no gradient), where, masked_fill.
//   where: da = dy where the condition holds, db = dy elsewhere
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/elementwise.h>

namespace weft {
namespace {

using kernels::Compare;

extern const Op kWhere;

Tensor compare(const char* who, Compare op, const Tensor& x, const Tensor& z) {
  check(x.defined() && z.defined(), "{}: an operand is undefined", who);
  const OpScope inside;
  DType dtype = promote(x.dtype(), z.dtype());
  if (dtype == kBool) dtype = kInt64;
  const Tensor a = to(x, dtype), b = to(z, dtype);
  Tensor y(broadcast_shapes(who, a.shape(), b.shape()), kBool);
  const BroadcastLoop<2> loop(y.shape(), {&a, &b});
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      const T *pa = a.data<T>(), *pb = b.data<T>();
      bool* py = static_cast<bool*>(y.raw());
      loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
        kernels::compare<T>(op, pa + offset[0], step[0], pb + offset[1], step[1], py + at, n);
      });
    }
  });
  return y;
}

Tensor compare(const char* who, Compare op, const Tensor& a, double b) {
  check(a.defined(), "{}: the operand is undefined", who);
  return compare(who, op, a, scalar(b, is_floating(a.dtype()) ? a.dtype() : kFloat64));
}

Tensor choose(const Tensor& c, const Tensor& a, const Tensor& b) {
  Tensor y(broadcast_shapes("where", c.shape(), broadcast_shapes("where", a.shape(), b.shape())),
           a.dtype());
  const BroadcastLoop<3> loop(y.shape(), {&c, &a, &b});
  const bool* pc = c.data<bool>();
  dispatch(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* py = static_cast<T*>(y.raw());
    loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
      kernels::where<T>(pc + offset[0], step[0], pa + offset[1], step[1], pb + offset[2], step[2],
                        py + at, n);
    });
  });
  return y;
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return compare("eq", Compare::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare("ne", Compare::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare("lt", Compare::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return compare("le", Compare::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", Compare::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", Compare::ge, a, b); }
Tensor eq(const Tensor& a, double b) { return compare("eq", Compare::eq, a, b); }
Tensor ne(const Tensor& a, double b) { return compare("ne", Compare::ne, a, b); }
Tensor lt(const Tensor& a, double b) { return compare("lt", Compare::lt, a, b); }
Tensor le(const Tensor& a, double b) { return compare("le", Compare::le, a, b); }
Tensor gt(const Tensor& a, double b) { return compare("gt", Compare::gt, a, b); }
Tensor ge(const Tensor& a, double b) { return compare("ge", Compare::ge, a, b); }

Tensor logical_not(const Tensor& a) { return eq(a, 0); }
Tensor logical_and(const Tensor& a, const Tensor& b) {
  const OpScope inside;
  return where(ne(a, 0), ne(b, 0), zeros({}, kBool));
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  const OpScope inside;
  return where(ne(a, 0), ones({}, kBool), ne(b, 0));
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& z) {
  check(condition.defined() && x.defined() && z.defined(), "where: an operand is undefined");
  check(condition.dtype() == kBool, "where: the condition must be bool; got {}",
        to_string(condition.dtype()));
  const DType dtype = promote(x.dtype(), z.dtype());
  const Tensor a = to(x, dtype), b = to(z, dtype);
  return record(kWhere, choose(condition, a, b), {a, b},
                [c = save(condition), sa = a.shape(), sb = b.shape()](Backward& g) {
                  const Tensor taken = g.saved(c), zero = zeros({}, g.dy().dtype());
                  return Tensors{g.needs(0) ? sum_to(where(taken, g.dy(), zero), sa) : Tensor(),
                                 g.needs(1) ? sum_to(where(taken, zero, g.dy()), sb) : Tensor()};
                });
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  check(x.defined() && mask.defined(), "masked_fill: an operand is undefined");
  check(broadcast_shapes("masked_fill", x.shape(), mask.shape()) == x.shape(),
        "masked_fill: the mask must broadcast to shape {}; got {}", x.shape(), mask.shape());
  check_number("masked_fill", value, x.dtype());
  return where(mask, scalar(value, x.dtype()), x);
}

namespace {

const Op kWhere{"where", [](Samples& s) {
                  auto f = [](const Tensors& in) { return where(in[0], in[1], in[2]); };
                  s.add("same shape", {s.booleans({3, 4}), s.normal({3, 4}), s.normal({3, 4})}, f);
                  s.add("broadcast", {s.booleans({4}), s.normal({3, 1}), s.normal({})}, f);
                  s.add("masked_fill", {s.normal({2, 3, 4}), s.booleans({3, 1})},
                        [](const Tensors& in) { return masked_fill(in[0], in[1], -2); });
                  s.add_error({s.normal({3}), s.normal({3}), s.normal({3})}, f,
                              "where: the condition must be bool; got float64");
                  s.add_error(
                      {s.normal({3}), s.booleans({2, 3})},
                      [](const Tensors& in) { return masked_fill(in[0], in[1], 0); },
                      "masked_fill: the mask must broadcast to shape [3]; got [2, 3]");
                }};

}  // namespace
}  // namespace weft
