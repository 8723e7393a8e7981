// mse_loss, l1_loss, binary_cross_entropy_with_logits, nll_loss: compositions of other ops.
//   mse (x - t)^2    l1 |x - t|    bce (1 - t) softplus(x) + c t softplus(-x), c = pos_weight
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/class_targets.h>
#include <weft/core/detail/check.h>

namespace weft {
namespace {

Tensor reduced(const Tensor& loss, Reduction reduction) {
  return reduction == Reduction::none ? loss : reduction == Reduction::sum ? sum(loss) : mean(loss);
}

void check_pair(const char* who, const Tensor& x, const Tensor& target) {
  check(x.defined() && target.defined(), "{}: an operand is undefined", who);
  check(x.shape() == target.shape(), "{}: x and target must have one shape; got {} and {}", who,
        x.shape(), target.shape());
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_pair("mse_loss", x, target);
  return reduced(pow(x - target, 2), reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  check_pair("l1_loss", x, target);
  return reduced(abs(x - target), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        const Tensor& pos_weight) {
  check_pair("binary_cross_entropy_with_logits", x, target);
  // softplus(x) and softplus(-x) are softplus(-|x|) and, on one side of 0, |x|. Each part of the
  // loss has one sign: no part cancels another.
  const Tensor positive = gt(x, 0), s = to(positive, x.dtype());
  const Tensor tail = softplus(x * (s * -2 + 1));  // of -|x|
  if (!pos_weight.defined()) return reduced((s - target) * x + tail, reduction);
  const Tensor hit = pos_weight * target;
  return reduced(where(positive, 1 - target, -hit) * x + (1 - target + hit) * tail, reduction);
}

Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const CrossEntropyOptions& options) {
  check(log_probs.defined(), "nll_loss: the log-probabilities are undefined");
  check(log_probs.dim() == 1 || log_probs.dim() == 2,
        "nll_loss: log_probs must be [N, V] or [V]; got {}", log_probs.shape());
  check(options.label_smoothing == 0, "nll_loss: there is no label_smoothing here; got {}",
        options.label_smoothing);
  const Shape batch = log_probs.dim() == 1 ? Shape{} : Shape{log_probs.size(0)};
  return loss_of_log_probs(
      log_probs,
      class_targets("nll_loss", batch, log_probs.size(-1), log_probs.dtype(), target, options),
      options);
}

namespace {

constexpr Reduction kReductions[] = {Reduction::none, Reduction::mean, Reduction::sum};

using Loss = Tensor (*)(const Tensor&, const Tensor&, Reduction);

template <Loss loss>
void add_regression(Samples& s, const char* error) {
  for (Reduction r : kReductions)
    s.add("both operands", {s.distinct({3, 4}), s.normal({3, 4}) * 0.01},
          [r](const Tensors& in) { return loss(in[0], in[1], r); });
  auto f = [](const Tensors& in) { return loss(in[0], in[1], Reduction::mean); };
  s.add("transposed", {s.transposed({3, 4}), s.normal({3, 4})}, f);
  s.add("rank 0", {s.normal({}), s.normal({})}, f);
  s.add_error({s.normal({2, 3}), s.normal({3})}, f, error);
}

const Op kMse{"mse_loss", [](Samples& s) {
                add_regression<mse_loss>(
                    s, "mse_loss: x and target must have one shape; got [2, 3] and [3]");
              }};
const Op kL1{"l1_loss", [](Samples& s) {
               add_regression<l1_loss>(
                   s, "l1_loss: x and target must have one shape; got [2, 3] and [3]");
             }};

const Op kBce{
    "binary_cross_entropy_with_logits", [](Samples& s) {
      for (Reduction r : kReductions)
        s.add(
            "soft targets", {s.normal({3, 4}), s.uniform({3, 4}, 0, 1)},
            [r](const Tensors& in) { return binary_cross_entropy_with_logits(in[0], in[1], r); },
            [r](const Tensors& in) {
              const Tensor p = sigmoid(in[0]), t = in[1];
              const Tensor loss = -(t * log(p) + (1 - t) * log(1 - p));
              return r == Reduction::none ? loss : r == Reduction::sum ? sum(loss) : mean(loss);
            });
      s.add("pos_weight", {s.normal({3, 4}), s.uniform({3, 4}, 0, 1), s.uniform({4}, 0.5, 2)},
            [](const Tensors& in) {
              return binary_cross_entropy_with_logits(in[0], in[1], Reduction::mean, in[2]);
            });
      s.add_error(
          {s.normal({2}), s.normal({3})},
          [](const Tensors& in) { return binary_cross_entropy_with_logits(in[0], in[1]); },
          "binary_cross_entropy_with_logits: x and target must have one shape; got [2] and [3]");
    }};

const Op kNll{
    "nll_loss", [](Samples& s) {
      const Tensor target = tensor({0, 2, 3, 2, 1, 0});
      auto f = [](const CrossEntropyOptions& options) {
        return [options](const Tensors& in) { return nll_loss(in[0], in[1], options); };
      };
      for (Reduction r : kReductions) {
        s.add("plain", {s.normal({6, 4}), target}, f({.reduction = r}));
        s.add("weights, ignore", {s.normal({6, 4}), target}, f({s.uniform({4}, 0.5, 2), 2, 0, r}));
      }
      s.add("one row", {s.normal({4}), scalar(2, kInt64)}, f({}));
      s.add_error({s.normal({6, 3}), target}, f({}),
                  "nll_loss: targets must be in [0, 3) or ignore_index -100; got 3 in row 2");
      s.add_error({s.normal({2, 3, 4}), target}, f({}),
                  "nll_loss: log_probs must be [N, V] or [V]; got [2, 3, 4]");
      s.add_error({s.normal({6, 4}), target}, f({.label_smoothing = 0.1}),
                  "nll_loss: there is no label_smoothing here; got 0.1");
    }};

}  // namespace
}  // namespace weft
