// linear_r_drop: the logits of two passes, their losses and how far they disagree, on blocks of
// rows, which hold the gradients too.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/blocked_loss.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/cross_entropy.h>

#include <cmath>
#include <limits>

namespace weft {
namespace {

constexpr const char* kRDropName = "linear_r_drop";

extern const Op kLinearRDrop;

// in: both hidden, weight and maybe bias.
Tensor composed_r_drop(const Tensors& in, const Tensor& target, double alpha,
                       const CrossEntropyOptions& options) {
  const ClassTargets t =
      class_targets(kRDropName, target.shape(), in[2].size(0), in[0].dtype(), target, options);
  const auto logits = [&](const Tensor& hidden) {
    const Tensor z = linear(counted_rows(hidden, t), in[2], in.size() > 3 ? in[3] : Tensor());
    return counted_rows(z, t);  // weights that are NaN reach nothing where no row counts
  };
  const Tensor a = logits(in[0]), b = logits(in[1]);
  const Tensor log_p = log_softmax(a, -1), log_q = log_softmax(b, -1);
  const Tensor ruled_out = eq(maximum(log_p, log_q), -std::numeric_limits<double>::infinity());
  const Tensor apart = masked_fill(log_p - log_q, ruled_out, 0);
  const Tensor both_ways = sum((exp(log_p) - exp(log_q)) * apart, {-1});
  return 0.5 * (cross_entropy(a, target, options) + cross_entropy(b, target, options)) +
         0.25 * alpha * reduced(reshape(both_ways, {-1}), t, options.reduction);
}

template <class T>
Tensor r_drop_and_gradients(const LogitOperands& in, const ClassTargets& t, double alpha,
                            double smoothing, LogitGradients& d) {
  const T scale = static_cast<T>(t.scale);
  const int64_t classes = in.weight.size(0);
  return BlockedLoss<T, 2>(in, t).run(
      d, [&](const std::array<T*, 2>& z, const int64_t* target, T* loss, int64_t rows) {
        kernels::r_drop_replace_rows<T>(z[0], z[1], target, smoothing, 0.25 * alpha, scale, loss,
                                        rows, classes);
      });
}

}  // namespace

Tensor linear_r_drop(const Tensor& first, const Tensor& second, const Tensor& weight,
                     const Tensor& bias, const Tensor& target, double alpha,
                     const CrossEntropyOptions& options) {
  const LogitOperands in{{first, second}, weight, bias};
  const Shape batch = check_logit_operands(kRDropName, in);
  check(!options.weight.defined(), "{}: class weights are not supported", kRDropName);
  check(std::isfinite(alpha) && alpha >= 0, "{}: alpha must be finite and not negative; got {}",
        kRDropName, alpha);
  const ClassTargets t =
      class_targets(kRDropName, batch, weight.size(0), weight.dtype(), target, options);
  if (options.reduction == Reduction::none)  // each row's dy comes later: nothing to do ahead
    return composed_r_drop({first, second, weight, bias}, target, alpha, options);
  LogitGradients d(in, t);
  const Tensor y = [&] {
    const OpScope inside;
    return dispatch_floating(kRDropName, weight.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return r_drop_and_gradients<T>(in, t, alpha, options.label_smoothing, d);
    });
  }();
  return record(
      kLinearRDrop, y, {first, second, weight, bias},
      [alpha, in = std::array{save(first), save(second), save(weight), save(bias)},
       dx = std::array{save(d.hidden[0]), save(d.hidden[1]), save(d.weight), save(d.bias)},
       s = SavedTargets(target, options, t)](Backward& g) {
        Tensors saved;
        for (const Saved& x : g.first_order() ? dx : in) saved.push_back(g.saved(x));
        if (g.first_order()) {
          for (Tensor& x : saved) x = scaled_by(x, g.dy());
          return saved;
        }
        return vjp(
            [&](const Tensors& x) { return composed_r_drop(x, s.target(g), alpha, s.options(g)); },
            saved, {g.dy()});
      });
}

namespace {

void add_r_drop(Samples& s, const char* name, Tensors in, const Tensor& target, double alpha,
                const CrossEntropyOptions& options) {
  s.add(
      name, std::move(in),
      [=](const Tensors& x) {
        return linear_r_drop(x[0], x[1], x[2], x.size() > 3 ? x[3] : Tensor(), target, alpha,
                             options);
      },
      [=](const Tensors& x) { return composed_r_drop(x, target, alpha, options); });
}

void add_r_drop_errors(Samples& s) {
  auto f = [](double alpha, const CrossEntropyOptions& options) {
    return [=](const Tensors& in) {
      return linear_r_drop(in[0], in[1], in[2], in[3], tensor({0, 3}), alpha, options);
    };
  };
  const Tensor h = s.normal({2, 3}), w = s.normal({4, 3}), b = s.normal({4});
  s.add_error({h, s.normal({1, 3}), w, b}, f(5, {}),
              "linear_r_drop: both hidden must have one shape; got [2, 3] and [1, 3]");
  s.add_error({h, s.normal({2, 2}), w, b}, f(5, {}),
              "linear_r_drop: hidden must be [..., D] for weight [V, D]; got [2, 2] and [4, 3]");
  s.add_error({h, h, w, b}, f(5, {.weight = ones({4})}),
              "linear_r_drop: class weights are not supported");
  s.add_error({h, h, w, b}, f(-1, {}),
              "linear_r_drop: alpha must be finite and not negative; got -1");
}

const Op kLinearRDrop{
    kRDropName, [](Samples& s) {
      const Tensor target = tensor({2, 0, 1, 2, 3, 1});
      auto in = [&s] {
        return Tensors{s.normal({6, 3}), s.normal({6, 3}), s.normal({4, 3}), s.normal({4})};
      };
      add_r_drop(s, "mean", in(), target, 5, {});
      add_r_drop(s, "sum", in(), target, 0.5, {.reduction = Reduction::sum});
      add_r_drop(s, "each", in(), target, 5, {.reduction = Reduction::none});
      add_r_drop(s, "no agreement", in(), target, 0, {});
      add_r_drop(s, "smoothing, ignore", in(), target, 5,
                 {.ignore_index = 2, .label_smoothing = 0.1});
      add_r_drop(s, "no bias", {s.normal({2, 3, 3}), s.normal({2, 3, 3}), s.normal({4, 3})},
                 reshape(target, {2, 3}), 5, {});
      add_r_drop(s, "one row", {s.normal({3}), s.normal({3}), s.normal({4, 3})}, scalar(1, kInt64),
                 5, {});
      add_r_drop(s, "transposed",
                 {s.transposed({6, 3}), s.transposed({6, 3}), s.transposed({4, 3})}, target, 5, {});
      add_r_drop(s, "all ignored", in(), zeros({6}, kInt64), 5, {.ignore_index = 0});
      add_r_drop(s, "no rows", {s.normal({0, 3}), s.normal({0, 3}), s.normal({4, 3})},
                 zeros({0}, kInt64), 5, {});
      add_r_drop_errors(s);
    }};

}  // namespace
}  // namespace weft
