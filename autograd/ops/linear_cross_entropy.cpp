// linear_cross_entropy: logits and their loss on blocks of rows, which hold the gradients too.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/blocked_loss.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/kernels/cross_entropy.h>

namespace weft {
namespace {

extern const Op kLinearCrossEntropy;

// in: hidden, weight and maybe bias.
Tensor composed(const Tensors& in, const Tensor& target, const CrossEntropyOptions& options) {
  const Tensor hidden =
      counted_rows(in[0], class_targets("linear_cross_entropy", target.shape(), in[1].size(0),
                                        in[0].dtype(), target, options));
  return cross_entropy(linear(hidden, in[1], in.size() > 2 ? in[2] : Tensor()), target, options);
}

template <class T>
Tensor loss_and_gradients(const LogitOperands& in, const ClassTargets& t, double smoothing,
                          LogitGradients& d) {
  const T *weight = detail::data_or_null<T>(t.weight), scale = static_cast<T>(t.scale);
  const int64_t classes = in.weight.size(0);
  const bool learn = d.hidden[0].defined() || d.weight.defined() || d.bias.defined();
  return BlockedLoss<T, 1>(in, t).run(
      d, [&](const std::array<T*, 1>& z, const int64_t* target, T* loss, int64_t rows) {
        if (learn)
          kernels::cross_entropy_replace_rows<T>(z[0], target, weight, smoothing, scale, loss, rows,
                                                 classes);
        else
          kernels::cross_entropy_rows<T>(z[0], target, weight, smoothing, loss, nullptr, nullptr,
                                         rows, classes);
      });
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                            const Tensor& target, const CrossEntropyOptions& options) {
  const LogitOperands in{{hidden}, weight, bias};
  const Shape batch = check_logit_operands("linear_cross_entropy", in);
  const ClassTargets t =
      class_targets("linear_cross_entropy", batch, weight.size(0), weight.dtype(), target, options);
  if (options.reduction == Reduction::none)  // each row's dy comes later: nothing to do ahead
    return cross_entropy(linear(hidden, weight, bias), target, options);
  LogitGradients d(in, t);
  const Tensor y = [&] {
    const OpScope inside;
    return dispatch_floating("linear_cross_entropy", weight.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return loss_and_gradients<T>(in, t, options.label_smoothing, d);
    });
  }();
  return record(
      kLinearCrossEntropy, y, {hidden, weight, bias},
      [h = save(hidden), w = save(weight), b = save(bias), dh = save(d.hidden[0]),
       dw = save(d.weight), db = save(d.bias), s = SavedTargets(target, options, t)](Backward& g) {
        if (g.first_order())
          return Tensors{scaled_by(g.saved(dh), g.dy()), scaled_by(g.saved(dw), g.dy()),
                         scaled_by(g.saved(db), g.dy())};
        return vjp([&](const Tensors& x) { return composed(x, s.target(g), s.options(g)); },
                   {g.saved(h), g.saved(w), g.saved(b)}, {g.dy()});
      });
}

namespace {

void add_sample(Samples& s, const char* name, Tensors in, const Tensor& target,
                const CrossEntropyOptions& options) {
  s.add(
      name, std::move(in),
      [=](const Tensors& x) {
        return linear_cross_entropy(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), target, options);
      },
      [=](const Tensors& x) { return composed(x, target, options); });
}

void add_errors(Samples& s) {
  auto f = [](const Tensor& target) {
    return
        [target](const Tensors& in) { return linear_cross_entropy(in[0], in[1], in[2], target); };
  };
  const Tensor h = s.normal({2, 3}), w = s.normal({4, 3}), b = s.normal({4});
  s.add_error({h, w, b}, f(tensor({0, 5})),
              "linear_cross_entropy: targets must be in [0, 4) or ignore_index -100; got 5 in row "
              "1");
  s.add_error({h, w, b}, f(tensor({0})),
              "linear_cross_entropy: expected targets of shape [2]; got [1]");
  s.add_error({h, s.normal({4, 2}), b}, f(tensor({0, 1})),
              "linear_cross_entropy: hidden must be [..., D] for weight [V, D]; got [2, 3] and "
              "[4, 2]");
  s.add_error({h, w, s.normal({3})}, f(tensor({0, 1})),
              "linear_cross_entropy: the bias must have shape [4]; got [3]");
  s.add_error({h, to(w, kFloat32), b}, f(tensor({0, 1})),
              "linear_cross_entropy: hidden and weight must have one dtype; got float64 and "
              "float32");
  s.add_error({h, w, to(b, kFloat32)}, f(tensor({0, 1})),
              "linear_cross_entropy: the bias must have the weight's dtype, float64; got float32");
}

const Op kLinearCrossEntropy{
    "linear_cross_entropy", [](Samples& s) {
      const Tensor target = tensor({2, 0, 1, 2, 3, 1});
      auto in = [&s] { return Tensors{s.normal({6, 3}), s.normal({4, 3}), s.normal({4})}; };
      add_sample(s, "mean", in(), target, {});
      add_sample(s, "sum", in(), target, {.reduction = Reduction::sum});
      add_sample(s, "each", in(), target, {.reduction = Reduction::none});
      add_sample(s, "weights, smoothing, ignore", in(), target,
                 {s.uniform({4}, 0.5, 2), 2, 0.1, Reduction::mean});
      add_sample(s, "no bias", {s.normal({2, 3, 3}), s.normal({4, 3})}, reshape(target, {2, 3}),
                 {});
      add_sample(s, "one row", {s.normal({3}), s.normal({4, 3})}, scalar(1, kInt64), {});
      add_sample(s, "transposed", {s.transposed({6, 3}), s.transposed({4, 3})}, target, {});
      add_sample(s, "all ignored", in(), zeros({6}, kInt64), {.ignore_index = 0});
      add_sample(s, "no rows", {s.normal({0, 3}), s.normal({4, 3})}, zeros({0}, kInt64), {});
      add_errors(s);
    }};

}  // namespace
}  // namespace weft
