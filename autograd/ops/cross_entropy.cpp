// The loss of classification on logits z.
//   loss_i = (1 - e) w_t (-log p_t) + e / V sum_j w_j (-log p_j),   t = target_i, p = softmax z
//   mean: sum_i loss_i / sum_i w_t, over the rows that count
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/class_targets.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/parallel.h>

#include <cmath>

namespace weft {
namespace {

constexpr double kLogitCost = 0.8;  // nanoseconds for one

extern const Op kCrossEntropy;

Shape without_last(const Shape& shape) {
  return Shape(std::span(shape.begin(), static_cast<size_t>(shape.rank() - 1)));
}

ClassTargets targets_for(const Tensor& logits, const Tensor& target,
                         const CrossEntropyOptions& options) {
  return class_targets("cross_entropy", without_last(logits.shape()), logits.size(-1),
                       logits.dtype(), target, options);
}

Tensor composed(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const ClassTargets t = targets_for(logits, target, options);
  return loss_of_log_probs(log_softmax(counted_rows(logits, t), -1), t, options);
}

// losses(rows begin to end) on several threads.
template <class F>
void for_logits(int64_t rows, int64_t classes, F f) {
  parallel_for(rows, grain_of_cost(kLogitCost * static_cast<double>(classes)), f);
}

// Of each row's softmax: the largest logit, and the sum of exp of the others' distances from it.
struct RowSoftmax {
  Tensor top, total;
};

void losses_of(const Tensor& x, const ClassTargets& t, double smoothing, const Tensor& loss,
               const RowSoftmax& rows) {
  const int64_t classes = x.size(-1);
  dispatch_floating("cross_entropy", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *z = x.data<T>(), *weight = detail::data_or_null<T>(t.weight);
    const int64_t* target = t.rows.data<int64_t>();
    T *out = static_cast<T*>(loss.raw()), *top = static_cast<T*>(rows.top.raw()),
      *total = static_cast<T*>(rows.total.raw());
    for_logits(loss.numel(), classes, [=](int64_t begin, int64_t end) {
      kernels::cross_entropy_rows<T>(z + begin * classes, target + begin, weight, smoothing,
                                     out + begin, top + begin, total + begin, end - begin, classes);
    });
  });
}

Tensor gradient_of(const Tensor& x, const RowSoftmax& rows, const ClassTargets& t, double smoothing,
                   const Tensor& dloss) {
  Tensor dx(x.shape(), x.dtype());
  const int64_t classes = x.size(-1);
  dispatch_floating("cross_entropy", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *z = x.data<T>(), *top = rows.top.data<T>(), *total = rows.total.data<T>(),
            *dy = dloss.data<T>(), *weight = detail::data_or_null<T>(t.weight);
    const int64_t* target = t.rows.data<int64_t>();
    T* out = static_cast<T*>(dx.raw());
    for_logits(dloss.numel(), classes, [=](int64_t begin, int64_t end) {
      kernels::cross_entropy_grad_rows<T>(z + begin * classes, top + begin, total + begin,
                                          target + begin, weight, smoothing, dy + begin,
                                          out + begin * classes, end - begin, classes);
    });
  });
  return dx;
}

// The gradients of the rows' losses from that of the loss.
Tensor of_each_row(const Tensor& dy, const ClassTargets& t, Reduction reduction) {
  return reduction == Reduction::none ? contiguous(reshape(dy, t.rows.shape()))
                                      : full(t.rows.shape(), dy.item() * t.scale, dy.dtype());
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  check(logits.defined(), "cross_entropy: the logits are undefined");
  check(logits.dim() > 0, "cross_entropy: logits need at least one dim; got shape {}",
        logits.shape());
  const Tensor x = contiguous(logits);
  const ClassTargets t = targets_for(x, target, options);
  const Tensor losses(t.rows.shape(), x.dtype());
  const RowSoftmax rows{Tensor(t.rows.shape(), x.dtype()), Tensor(t.rows.shape(), x.dtype())};
  losses_of(x, t, options.label_smoothing, losses, rows);
  const Tensor y = [&] {
    const OpScope inside;
    return reduced(losses, t, options.reduction);
  }();
  return record(kCrossEntropy, y, {x},
                [x = save(x), top = save(rows.top), total = save(rows.total),
                 s = SavedTargets(target, options, t)](Backward& b) {
                  const Tensor z = b.saved(x), dy = b.dy();
                  const CrossEntropyOptions o = s.options(b);
                  if (b.first_order()) {
                    const ClassTargets checked = s.checked(b);
                    return gradient_of(z, {b.saved(top), b.saved(total)}, checked,
                                       o.label_smoothing, of_each_row(dy, checked, o.reduction));
                  }
                  return vjp([&](const Tensor& in) { return composed(in, s.target(b), o); }, {z},
                             {dy})[0];
                });
}

namespace {

void add_sample(Samples& s, const char* name, const Tensor& x, const CrossEntropyOptions& options) {
  Tensor target = s.integers(without_last(x.shape()), x.size(-1));
  s.add(
      name, {x, target},
      [options](const Tensors& in) { return cross_entropy(in[0], in[1], options); },
      [options](const Tensors& in) { return composed(in[0], in[1], options); });
}

void add_class_errors(Samples& s) {
  auto f = [](const CrossEntropyOptions& options) {
    return [options](const Tensors& in) { return cross_entropy(in[0], in[1], options); };
  };
  const Tensor x = s.normal({3, 4}), good = tensor({0, 1, 3});
  s.add_error({x, tensor({0, 1, 4})}, f({}),
              "cross_entropy: targets must be in [0, 4) or ignore_index -100; got 4 in row 2");
  s.add_error({x, tensor({0, 1})}, f({}), "cross_entropy: expected targets of shape [3]; got [2]");
  s.add_error({x, s.normal({3})}, f({}), "cross_entropy: targets must be int64; got float64");
  s.add_error({x, good}, f({s.normal({3})}), "cross_entropy: weight must be [4]; got [3]");
  s.add_error({x, good}, f({.label_smoothing = 1.5}),
              "cross_entropy: label_smoothing must be in [0, 1]; got 1.5");
  s.add_error({s.normal({}), good}, f({}),
              "cross_entropy: logits need at least one dim; got shape []");
}

const Op kCrossEntropy{
    "cross_entropy", [](Samples& s) {
      for (Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) {
        add_sample(s, "plain", s.normal({6, 4}), {.reduction = r});
        add_sample(s, "weights, smoothing, ignore", s.normal({7, 3}),
                   {s.uniform({3}, 0.5, 2), 2, 0.2, r});
      }
      add_sample(s, "two dims of rows", s.normal({2, 3, 4}), {.label_smoothing = 0.1});
      add_sample(s, "one row", s.normal({5}), {});
      add_sample(s, "nothing but smoothing", s.normal({3, 4}), {.label_smoothing = 1});
      add_sample(s, "one class", s.normal({3, 1}), {.label_smoothing = 0.1});
      add_sample(s, "transposed", s.transposed({3, 4}), {});
      add_sample(s, "all ignored", s.normal({3, 1}), {.ignore_index = 0});
      add_sample(s, "no rows", s.normal({0, 3}), {});
      add_class_errors(s);
    }};

}  // namespace
}  // namespace weft
