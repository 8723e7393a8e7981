// linear_cross_entropy: logits z = h W^T + b and their loss, on blocks of rows. A block's logits
// become their own gradients dz in place while they are in cache, and then
//   dh = dz W,  dW += dz^T h,  db += sum over rows of dz
// so backward only scales by dy. Rows that do not count are left out from the start.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/class_targets.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/kernels/reduce.h>

#include <algorithm>
#include <optional>

namespace weft {
namespace {

constexpr int64_t kRows = 24;                       // a block has a multiple of so many
constexpr int64_t kBlockLogits = int64_t{1} << 21;  // of one block, if that is enough for kRows

extern const Op kLinearCrossEntropy;

// in: hidden, weight and maybe bias.
Tensor composed(const Tensors& in, const Tensor& target, const CrossEntropyOptions& options) {
  const Tensor hidden =
      counted_rows(in[0], class_targets("linear_cross_entropy", target.shape(), in[1].size(0),
                                        in[0].dtype(), target, options));
  return cross_entropy(linear(hidden, in[1], in.size() > 2 ? in[2] : Tensor()), target, options);
}

// Gradients of hidden, weight and bias for dy = 1; undefined where nobody asks.
struct Gradients {
  Tensor hidden, weight, bias;
};

// The rows that count, one after the other.
struct Rows {
  Tensor index;   // [n] into the hidden rows
  Tensor target;  // [n]
};

Rows rows_that_count(const ClassTargets& t) {
  const int64_t* all = t.rows.data<int64_t>();
  std::vector<int64_t> index, target;
  for (int64_t i = 0; i < t.rows.numel(); ++i) {
    if (all[i] < 0) continue;
    index.push_back(i);
    target.push_back(all[i]);
  }
  const Shape shape{static_cast<int64_t>(index.size())};
  return {from_vector(index, shape), from_vector(target, shape)};
}

// The sum of the losses, and the gradients of scale times that sum.
template <class T>
class BlockedLoss {
 public:
  BlockedLoss(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const ClassTargets& t,
              double smoothing)
      : rows_(rows_that_count(t)),
        h_(contiguous(hidden)),
        w_(contiguous(weight)),
        b_(bias.defined() ? contiguous(bias) : bias),
        targets_(t),
        smoothing_(smoothing),
        classes_(weight.size(0)),
        width_(weight.size(1)) {}

  Tensor run(Gradients& d) {
    const int64_t n = rows_.index.numel(), block = rows_per_block(n, classes_);
    if (!all_count()) hidden_ = Tensor({block, width_}, dtype_of<T>);
    logits_ = Tensor({block, classes_}, dtype_of<T>);
    losses_ = Tensor({n}, dtype_of<T>);
    to_logits_.emplace(true, block, classes_, width_, memory(w_), width_);
    if (d.hidden.defined()) to_hidden_.emplace(false, block, width_, classes_, memory(w_), width_);
    for (int64_t first = 0; first < n; first += block)
      add_block(first, std::min(block, n - first), d);
    return sum(losses_) * targets_.scale;
  }

 private:
  // Equal blocks, but for the last.
  static int64_t rows_per_block(int64_t rows, int64_t classes) {
    const int64_t most = std::max<int64_t>(kBlockLogits / std::max<int64_t>(classes, 1) / kRows, 1);
    const int64_t blocks = std::max<int64_t>((rows + most * kRows - 1) / (most * kRows), 1);
    return std::min(rows, (rows + blocks * kRows - 1) / (blocks * kRows) * kRows);
  }

  bool all_count() const { return rows_.index.numel() == targets_.rows.numel(); }

  static T* memory(const Tensor& t) { return t.defined() ? static_cast<T*>(t.raw()) : nullptr; }

  void add_block(int64_t first, int64_t n, Gradients& d) {
    const int64_t *index = rows_.index.data<int64_t>() + first,
                  *target = rows_.target.data<int64_t>() + first;
    const bool learn = d.hidden.defined() || d.weight.defined() || d.bias.defined();
    const T *weight = detail::data_or_null<T>(targets_.weight), *bias = memory(b_),
            scale = static_cast<T>(targets_.scale);
    T *z = memory(logits_), *loss = memory(losses_) + first;
    T* h = all_count() ? memory(h_) + first * width_ : memory(hidden_);
    if (!all_count()) kernels::gather_rows<T>(memory(h_), index, h, n, width_);
    auto finish = [&](int64_t begin, int64_t end) {
      T* zb = z + begin * classes_;
      if (bias)
        for (int64_t r = begin; r < end; ++r)
          kernels::add_inplace<T>(z + r * classes_, bias, classes_);
      if (learn)
        kernels::cross_entropy_replace_rows<T>(zb, target + begin, weight, smoothing_, scale,
                                               loss + begin, end - begin, classes_);
      else
        kernels::cross_entropy_rows<T>(zb, target + begin, weight, smoothing_, loss + begin,
                                       nullptr, nullptr, end - begin, classes_);
    };
    to_logits_->multiply(n, h, width_, z, classes_, finish);
    if (learn) add_gradients(first, n, h, d);
  }

  // From dz, which has taken the logits' place; on top of what other blocks left there.
  void add_gradients(int64_t first, int64_t n, const T* h, Gradients& d) {
    const bool more = first > 0;
    T* dz = memory(logits_);
    if (T* dw = memory(d.weight))
      gemm<T>(true, false, classes_, width_, n, T(1), dz, classes_, h, width_, T(more ? 1 : 0), dw,
              width_);
    if (T* db = memory(d.bias)) {
      Tensor part({classes_}, dtype_of<T>);
      kernels::sum<T>(dz, more ? memory(part) : db, 1, n, classes_);
      if (more) kernels::add_inplace<T>(db, memory(part), classes_);
    }
    if (T* dh = memory(d.hidden)) {
      if (all_count()) return to_hidden_->multiply(n, dz, classes_, dh + first * width_, width_);
      to_hidden_->multiply(n, dz, classes_, memory(hidden_), width_);
      kernels::scatter_rows<T>(memory(hidden_), rows_.index.template data<int64_t>() + first, dh, n,
                               width_);
    }
  }

  const Rows rows_;
  const Tensor h_, w_, b_;
  const ClassTargets& targets_;
  const double smoothing_;
  const int64_t classes_, width_;
  Tensor hidden_;                                         // of one block, where not all rows count
  Tensor logits_, losses_;                                // of one block; of all rows
  std::optional<RightOperand<T>> to_logits_, to_hidden_;  // the weight, for all blocks
};

Shape check_operands(const Tensor& hidden, const Tensor& weight, const Tensor& bias) {
  constexpr const char* kWho = "linear_cross_entropy";
  check(hidden.defined() && weight.defined(), "{}: an operand is undefined", kWho);
  check(weight.dim() == 2 && hidden.dim() > 0 && hidden.size(-1) == weight.size(1),
        "{}: hidden must be [..., D] for weight [V, D]; got {} and {}", kWho, hidden.shape(),
        weight.shape());
  check(hidden.dtype() == weight.dtype(),
        "{}: hidden and weight must have one dtype; got {} and {}", kWho, to_string(hidden.dtype()),
        to_string(weight.dtype()));
  if (bias.defined()) {
    check(bias.shape() == Shape{weight.size(0)}, "{}: the bias must have shape [{}]; got {}", kWho,
          weight.size(0), bias.shape());
    check(bias.dtype() == weight.dtype(), "{}: the bias must have the weight's dtype, {}; got {}",
          kWho, to_string(weight.dtype()), to_string(bias.dtype()));
  }
  return Shape(std::span(hidden.shape().begin(), static_cast<size_t>(hidden.dim() - 1)));
}

bool some_row_counts(const ClassTargets& t) {
  const int64_t* row = t.rows.data<int64_t>();
  return std::any_of(row, row + t.rows.numel(), [](int64_t target) { return target >= 0; });
}

// Room for the gradient of `t`, if it wants one. Zeros where there is no block to write it.
Tensor room_for(const Tensor& t, bool written) {
  if (!will_record({t})) return {};
  return written ? Tensor(t.shape(), t.dtype()) : zeros(t.shape(), t.dtype());
}

// Most losses are where backward starts: dy is 1, and a copy of the gradients would be the peak.
Tensor scaled(const Tensor& gradient, const Tensor& dy) {
  return gradient.defined() && dy.item() != 1 ? gradient * dy : gradient;
}

}  // namespace

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                            const Tensor& target, const CrossEntropyOptions& options) {
  const Shape batch = check_operands(hidden, weight, bias);
  const ClassTargets t =
      class_targets("linear_cross_entropy", batch, weight.size(0), weight.dtype(), target, options);
  if (options.reduction == Reduction::none)  // each row's dy comes later: nothing to do ahead
    return cross_entropy(linear(hidden, weight, bias), target, options);
  const bool any = some_row_counts(t);
  Gradients d{room_for(hidden, false), room_for(weight, any), room_for(bias, any)};
  const Tensor y = [&] {
    const OpScope inside;
    return dispatch_floating("linear_cross_entropy", weight.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return BlockedLoss<T>(hidden, weight, bias, t, options.label_smoothing).run(d);
    });
  }();
  return record(
      kLinearCrossEntropy, y, {hidden, weight, bias},
      [h = save(hidden), w = save(weight), b = save(bias), dh = save(d.hidden), dw = save(d.weight),
       db = save(d.bias), s = SavedTargets(target, options, t)](Backward& g) {
        if (g.first_order())
          return Tensors{scaled(g.saved(dh), g.dy()), scaled(g.saved(dw), g.dy()),
                         scaled(g.saved(db), g.dy())};
        return vjp([&](const Tensors& in) { return composed(in, s.target(g), s.options(g)); },
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
