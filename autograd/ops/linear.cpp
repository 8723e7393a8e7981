// linear: y = x W^T + b, and linear_activation: y = dropout(f(x W^T + b)) with f relu or gelu, made
// on blocks of rows while they are in cache. With dz the gradient of z = x W^T + b:
//   dx = dz W,  dW = dz^T x,  db = sum over rows of dz
// Of relu and dropout backward needs y alone: relu'(z) keep = [y > 0]. Gelu keeps z.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/ops/packed_weights.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/parallel.h>

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t kHot = 8192;  // elements that several kernels pass over while they are in L1
constexpr double kActivationCost = 0.4;  // nanoseconds for one of an activation's gradient

extern const Op kLinear, kLinearActivation;

Tensor composed(const Tensors& in, const ActivationOptions& o) {
  const Tensor z = linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor());
  return dropout(o.activation == LinearActivation::relu ? relu(z) : gelu(z), o.dropout, o.key);
}

void check_operands(const char* who, const Tensor& input, const Tensor& weight,
                    const Tensor& bias) {
  check(input.defined() && weight.defined(), "{}: an operand is undefined", who);
  check(weight.dim() == 2, "{}: the weight must be [out, in]; got {}", who, weight.shape());
  check(input.dim() > 0 && input.size(-1) == weight.size(1),
        "{}: the input's last dim must be the weight's; got {} for weight {}", who, input.shape(),
        weight.shape());
  check(input.dtype() == weight.dtype(), "{}: input and weight must have one dtype; got {} and {}",
        who, to_string(input.dtype()), to_string(weight.dtype()));
  if (!bias.defined()) return;
  check(bias.shape() == Shape{weight.size(0)}, "{}: the bias must have shape [{}]; got {}", who,
        weight.size(0), bias.shape());
  check(bias.dtype() == weight.dtype(), "{}: the bias must have the weight's dtype, {}; got {}",
        who, to_string(weight.dtype()), to_string(bias.dtype()));
}

int64_t rows_of(const Tensor& x) {
  Shape leading = x.shape();
  leading.erase(x.dim() - 1);
  return leading.numel();
}

struct Nothing {
  void operator()(const void*, int64_t, int64_t) const {}
};

// z = x W^T + b; after(z, begin, end) follows on elements [begin, end) of z while they are in
// cache.
template <class After>
Tensor product(const char* who, const Tensor& x, const Tensor& weight, const Tensor& bias,
               After after) {
  const int64_t rows = rows_of(x), out = weight.size(0), in = weight.size(1);
  Shape shape = x.shape();
  shape[x.dim() - 1] = out;
  Tensor z(shape, x.dtype());
  const OpScope inside;
  const Tensor w = contiguous(weight), b = bias.defined() ? contiguous(bias) : bias;
  dispatch_floating(who, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* pz = static_cast<T*>(z.raw());
    const T* pb = detail::data_or_null<T>(b);
    const int64_t step = std::max<int64_t>(1, kHot / std::max<int64_t>(out, 1));
    auto finish = [&](int64_t begin, int64_t end) {
      for (int64_t first = begin; first < end; first += step) {
        const int64_t past = std::min(end, first + step);
        if (pb)
          for (int64_t row = first; row < past; ++row)
            kernels::add_inplace<T>(pz + row * out, pb, out);
        after(pz, first * out, past * out);
      }
    };
    const int64_t ldx = std::max<int64_t>(in, 1), ldz = std::max<int64_t>(out, 1);
    const auto epilogue =
        pb || !std::is_same_v<After, Nothing> ? RowEpilogue(finish) : RowEpilogue();
    if (const RightOperand<T>* packed = PackedWeights::find<T>(weight))
      return packed->multiply(rows, x.data<T>(), ldx, pz, ldz, epilogue);
    gemm<T>(false, true, rows, out, in, T(1), x.data<T>(), ldx, w.data<T>(), ldx, T(0), pz, ldz,
            epilogue);
  });
  return z;
}

// dx, dW and db from dz, [..., out].
Tensors gradients(const Backward& g, const Tensor& x, const Tensor& w, const Tensor& dz) {
  const int64_t rows = rows_of(x);
  const Tensor flat = reshape(dz, {rows, w.size(0)});
  Tensors d(3);
  if (g.needs(0)) d[0] = reshape(matmul(flat, w), x.shape());
  if (g.needs(1)) d[1] = matmul(transpose(flat, 0, 1), reshape(x, {rows, w.size(1)}));
  if (g.needs(2)) d[2] = sum(flat, {0});
  return d;
}

// dz from dy and from `kept`: y for relu, z for gelu.
Tensor through_activation(const ActivationOptions& o, const Tensor& kept, const Tensor& gradient) {
  const Tensor dy = contiguous(gradient);
  Tensor dz(dy.shape(), dy.dtype());
  dispatch_floating("linear_activation", dy.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pk = kept.data<T>(), *pdy = dy.data<T>(), scale = static_cast<T>(1 / (1 - o.dropout));
    T* pdz = static_cast<T*>(dz.raw());
    parallel_for(dy.numel(), grain_of_cost(kActivationCost, 1024),
                 [&, pk, pdy, pdz](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i += kHot) {
                     const int64_t n = std::min(kHot, end - i);
                     if (o.activation == LinearActivation::relu) {
                       kernels::unary_grad<T>(kernels::Unary::relu, nullptr, pk + i, pdy + i,
                                              pdz + i, n);
                       if (o.dropout > 0) kernels::scale<T>(scale, pdz + i, pdz + i, n);
                     } else {
                       if (o.dropout > 0)
                         kernels::dropout<T>(pdy + i, pdz + i, i, n, o.dropout, o.key);
                       kernels::unary_grad<T>(kernels::Unary::gelu, pk + i, nullptr,
                                              (o.dropout > 0 ? pdz : pdy) + i, pdz + i, n);
                     }
                   }
                 });
  });
  return dz;
}

}  // namespace

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  check_operands("linear", input, weight, bias);
  const Tensor x = contiguous(input);
  const Tensor y = product("linear", x, weight, bias, Nothing());
  return record(kLinear, y, {x, weight, bias}, [x = save(x), w = save(weight)](Backward& g) {
    return gradients(g, g.saved(x), g.saved(w), g.dy());
  });
}

Tensor linear_activation(const Tensor& input, const Tensor& weight, const Tensor& bias,
                         const ActivationOptions& o) {
  constexpr const char* kWho = "linear_activation";
  check_operands(kWho, input, weight, bias);
  check(o.dropout >= 0 && o.dropout < 1, "{}: dropout must be in [0, 1); got {}", kWho, o.dropout);
  const Tensor x = contiguous(input);
  const bool in_place = o.activation == LinearActivation::relu;
  Tensor y;
  if (!in_place) {
    Shape shape = x.shape();
    shape[x.dim() - 1] = weight.size(0);
    y = Tensor(shape, x.dtype());
  }
  const Tensor z = product(kWho, x, weight, bias, [&](auto* p, int64_t begin, int64_t end) {
    using T = std::remove_pointer_t<decltype(p)>;
    T* out = (in_place ? p : static_cast<T*>(y.raw())) + begin;
    const auto f = in_place ? kernels::Unary::relu : kernels::Unary::gelu;
    kernels::unary<T>(f, p + begin, 1, out, end - begin);
    if (o.dropout > 0) kernels::dropout<T>(out, out, begin, end - begin, o.dropout, o.key);
  });
  if (in_place) y = z;
  return record(kLinearActivation, y, {x, weight, bias},
                [o, x = save(x), w = save(weight), b = save(bias),
                 kept = in_place ? save_output(y) : save(z)](Backward& g) {
                  const Tensors in{g.saved(x), g.saved(w), g.saved(b)};
                  if (g.first_order())
                    return gradients(g, in[0], in[1], through_activation(o, g.saved(kept), g.dy()));
                  return vjp([&](const Tensors& t) { return composed(t, o); }, in, {g.dy()});
                });
}

namespace {

const Op kLinear{
    "linear", [](Samples& s) {
      auto composed = [](const Tensors& in) {
        const Tensor y = matmul(in[0], transpose(in[1], 0, 1));
        return in.size() > 2 ? y + in[2] : y;
      };
      auto with_bias = [](const Tensors& in) { return linear(in[0], in[1], in[2]); };
      auto without = [](const Tensors& in) { return linear(in[0], in[1]); };
      s.add("bias", {s.normal({2, 3, 4}), s.normal({5, 4}), s.normal({5})}, with_bias, composed);
      s.add("no bias", {s.normal({3, 4}), s.normal({2, 4})}, without, composed);
      s.add("vector", {s.normal({4}), s.normal({3, 4}), s.normal({3})}, with_bias, composed);
      s.add("transposed", {s.transposed({3, 4}), s.transposed({2, 4}), s.normal({2})}, with_bias,
            composed);
      s.add("no rows", {s.normal({0, 4}), s.normal({2, 4}), s.normal({2})}, with_bias, composed);
      s.add("no columns", {s.normal({2, 0}), s.normal({4, 0}), s.normal({4})}, with_bias, composed);
      s.add_error(
          {s.normal({2, 3}), s.normal({5, 4})}, without,
          "linear: the input's last dim must be the weight's; got [2, 3] for weight [5, 4]");
      s.add_error({s.normal({2, 4}), s.normal({5, 4}), s.normal({4})}, with_bias,
                  "linear: the bias must have shape [5]; got [4]");
      s.add_error({s.normal({2, 4}), s.normal({4})}, without,
                  "linear: the weight must be [out, in]; got [4]");
      s.add_error({s.normal({}), s.normal({5, 4})}, without,
                  "linear: the input's last dim must be the weight's; got [] for weight [5, 4]");
      s.add_error({s.normal({2, 4}), to(s.normal({5, 4}), kFloat32)}, without,
                  "linear: input and weight must have one dtype; got float64 and float32");
      s.add_error({s.normal({2, 4}), s.normal({5, 4}), to(s.normal({5}), kFloat32)}, with_bias,
                  "linear: the bias must have the weight's dtype, float64; got float32");
    }};

void add_sample(Samples& s, const std::string& name, Tensors inputs, const ActivationOptions& o) {
  s.add(
      name, std::move(inputs),
      [=](const Tensors& in) {
        return linear_activation(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o);
      },
      [=](const Tensors& in) { return composed(in, o); });
}

const Op kLinearActivation{
    "linear_activation", [](Samples& s) {
      const RandomKey key{5, 11};
      for (const LinearActivation f : {LinearActivation::relu, LinearActivation::gelu}) {
        const std::string name = f == LinearActivation::relu ? "relu" : "gelu";
        add_sample(s, name, {s.normal({2, 3, 4}), s.normal({5, 4}), s.normal({5})}, {f});
        add_sample(s, name + ", dropout", {s.normal({7, 4}), s.normal({3, 4}), s.normal({3})},
                   {f, 0.4, key});
        add_sample(s, name + ", no bias", {s.transposed({3, 4}), s.transposed({2, 4})},
                   {f, 0.2, key});
        add_sample(s, name + ", no rows", {s.normal({0, 4}), s.normal({2, 4}), s.normal({2})},
                   {f, 0.5, key});
      }
      s.add_error(
          {s.normal({2, 3}), s.normal({5, 3})},
          [](const Tensors& in) { return linear_activation(in[0], in[1], {}, {.dropout = 1}); },
          "linear_activation: dropout must be in [0, 1); got 1");
      s.add_error(
          {s.normal({2, 3}), s.normal({5, 4})},
          [](const Tensors& in) { return linear_activation(in[0], in[1], {}, {}); },
          "linear_activation: the input's last dim must be the weight's; got [2, 3] for "
          "weight [5, 4]");
    }};

}  // namespace
}  // namespace weft
