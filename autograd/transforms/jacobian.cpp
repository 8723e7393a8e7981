// Jacobians, Hessians and gradients by sample, a row of the matrix a vjp: row r is J^T e_r.
//
// A function that maps over a leading dim of N has a Jacobian that is zero between samples. The
// cotangent that is e_r in every sample gives row r of all N at once; and on c copies of the batch,
// a cotangent that is e_(r + k) in copy k gives c rows.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cstring>

namespace weft {
namespace {

// The dims of `shape` behind the leading one.
Shape sample_shape(Shape shape) {
  shape.erase(0);
  return shape;
}

void append(Shape& shape, const Shape& more) {
  for (const int64_t d : more) shape.push_back(d);
}

// The leading dim that all inputs share.
int64_t batch_size(const char* who, const Tensors& inputs) {
  int64_t n = -1;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const Shape& shape = inputs[i].shape();
    if (n < 0 && shape.rank() > 0) n = shape[0];
    check(shape.rank() > 0, "{}: a batched function's inputs need a leading dim; input {} has none",
          who, i);
    check(shape[0] == n,
          "{}: a batched function's inputs must share their leading dim; input {} has shape {}, "
          "others {} samples",
          who, i, shape, n);
  }
  check(n >= 0, "{}: a batched function needs an input", who);
  return n;
}

// Collects the rows of one Jacobian: blocks [rows, N, D] become [N, R, D].
class Rows {
 public:
  Rows(int64_t samples, int64_t rows, int64_t width, DType dtype)
      : samples_(samples), rows_(rows), width_(width) {
    if (!grad_enabled())
      matrix_ = zeros({samples, rows, width}, dtype);
    else if (rows == 0)
      blocks_.push_back(zeros({0, samples, width}, dtype));
  }

  void add(int64_t first, const Tensor& block) {
    if (grad_enabled()) return blocks_.push_back(block);
    const Tensor dense = contiguous(block);
    const size_t bytes = static_cast<size_t>(width_) * size_of(dense.dtype());
    const char* from = static_cast<const char*>(dense.raw());
    char* into = static_cast<char*>(matrix_.raw());
    for (int64_t k = 0; k < block.size(0); ++k)
      for (int64_t n = 0; n < samples_; ++n, from += bytes)
        std::memcpy(into + static_cast<size_t>(n * rows_ + first + k) * bytes, from, bytes);
  }

  Tensor take() const { return grad_enabled() ? permute(cat(blocks_, 0), {1, 0, 2}) : matrix_; }

 private:
  int64_t samples_, rows_, width_;
  Tensor matrix_;   // outside of grad mode
  Tensors blocks_;  // in it
};

class JacobianMaker {
 public:
  JacobianMaker(const char* who, const TensorFunction& f, const Tensors& inputs,
                const JacobianOptions& options)
      : who_(who),
        batched_(options.batched),
        samples_(batched_ ? batch_size(who, inputs) : 1),
        copies_(options.chunk_size),
        call_(who, f, checked_copies(inputs)) {
    if (!options.allow_unused) call_.check_reached(Tensors(inputs.size()));
    for (const Tensor& x : inputs)
      widths_.push_back(differentiable(x) ? per_sample(x.shape()) : Shape());
  }

  std::vector<Tensors> run() const {
    std::vector<Tensors> all;
    for (size_t i = 0; i < call_.outputs().size(); ++i) all.push_back(by_output(i));
    return all;
  }

 private:
  Shape per_sample(const Shape& shape) const { return batched_ ? sample_shape(shape) : shape; }

  // [N, ...] -> [copies N, ...]
  Tensors checked_copies(const Tensors& inputs) const {
    check(copies_ >= 1, "{}: chunk_size must be positive; got {}", who_, copies_);
    check(copies_ == 1 || batched_,
          "{}: only a batched function can give {} rows at a time; set batched if it is one", who_,
          copies_);
    if (copies_ == 1) return inputs;
    Tensors copied = inputs;
    for (Tensor& x : copied) {
      if (!x.defined()) continue;
      Shape stretched = x.shape(), merged = x.shape();
      stretched.insert(0, copies_);
      check(!__builtin_mul_overflow(merged[0], copies_, &merged[0]),
            "{}: {} copies of shape {} are too many", who_, copies_, x.shape());
      x = reshape(expand(x, stretched), merged);
    }
    return copied;
  }

  Tensors by_output(size_t i) const {
    const Tensor& y = call_.outputs()[i];
    if (!differentiable(y)) return Tensors(widths_.size());
    check(!batched_ || (y.dim() > 0 && y.size(0) == samples_ * copies_),
          "{}: a batched function must keep the leading dim of {} samples; output {} has shape {}",
          who_, samples_ * copies_, i, y.shape());
    const Shape row_shape = per_sample(y.shape());
    const int64_t rows = row_shape.numel();
    std::vector<Rows> matrices;
    for (size_t j = 0; j < widths_.size(); ++j)
      matrices.emplace_back(
          samples_, rows, widths_[j].numel(),
          differentiable(call_.inputs()[j]) ? call_.inputs()[j].dtype() : y.dtype());
    for (int64_t first = 0; first < rows; first += copies_) add_rows(i, first, rows, matrices);
    Tensors jacobians;
    for (size_t j = 0; j < widths_.size(); ++j)
      jacobians.push_back(differentiable(call_.inputs()[j])
                              ? reshape(matrices[j].take(), full_shape(row_shape, widths_[j]))
                              : Tensor());
    return jacobians;
  }

  Shape full_shape(const Shape& row, const Shape& width) const {
    Shape full;
    if (batched_) full.push_back(samples_);
    check(full.rank() + row.rank() + width.rank() <= kMaxRank,
          "{}: {} x {} has more than {} dims; flatten the function's input or output", who_, row,
          width, kMaxRank);
    append(full, row);
    append(full, width);
    return full;
  }

  // Rows first .. first + copies of output i.
  void add_rows(size_t i, int64_t first, int64_t rows, std::vector<Rows>& matrices) const {
    const int64_t count = std::min(copies_, rows - first);
    Tensors dy(call_.outputs().size());
    dy[i] = unit_rows(call_.outputs()[i], first, rows, count);
    const Tensors found = with_zeros(call_.vjp(dy, true), call_.inputs());
    for (size_t j = 0; j < widths_.size(); ++j) {
      if (!found[j].defined()) continue;
      const Tensor block = reshape(found[j], {copies_, samples_, widths_[j].numel()});
      matrices[j].add(first, slice(block, 0, 0, count));
    }
  }

  // Of y's shape: copy k has e_(first + k) in each of its samples.
  Tensor unit_rows(const Tensor& y, int64_t first, int64_t rows, int64_t count) const {
    Tensor dy = zeros(y.shape(), y.dtype());
    dispatch_floating(who_, y.dtype(), [&](auto tag) {
      auto* p = dy.mutable_data<typename decltype(tag)::type>();
      for (int64_t k = 0; k < count; ++k)
        for (int64_t n = 0; n < samples_; ++n) p[(k * samples_ + n) * rows + first + k] = 1;
    });
    return dy;
  }

  const char* who_;
  bool batched_;
  int64_t samples_, copies_;
  RecordedCall call_;
  std::vector<Shape> widths_;  // of an input, by sample; nothing if it is not floating
};

Tensor only(const char* who, const std::vector<Tensors>& grid) {
  check(grid.size() == 1, "{}: a function of one tensor must return one; got {}", who, grid.size());
  return grid[0][0];
}

// The losses' gradients; each sample's own if the function is batched.
Tensors gradient_of(const char* who, const TensorFunction& f, const Tensors& in, bool batched,
                    bool allow_unused) {
  const RecordedCall call(who, f, in);
  const Tensor& y = call.output();
  const int64_t samples = batched ? batch_size(who, in) : 1;
  check(y.numel() == samples && (!batched || (y.dim() > 0 && y.size(0) == samples)),
        "{}: the function must return one element{}; got shape {}", who,
        batched ? fmt::format(" for each of {} samples", samples) : "", y.shape());
  const Tensors found = call.vjp({ones(y.shape(), y.dtype())});
  if (!allow_unused) call.check_reached(found);
  return with_zeros(found, in);
}

// Of the loss of one sample; undefined where it does not depend on a parameter.
Tensors gradients_of_one(const char* who, const TensorFunction& f, const Tensors& sample,
                         const Tensors& parameters) {
  const bool create = grad_enabled();
  GradMode record_f(true);
  const Tensors loss = f(sample);
  check(loss.size() == 1 && differentiable(loss[0]) && loss[0].numel() == 1,
        "{}: the function must return one floating element for a sample; got {}", who,
        loss.size() == 1 && loss[0].defined()
            ? fmt::format("{} {}", to_string(loss[0].dtype()), loss[0].shape())
            : fmt::format("{} tensors", loss.size()));
  if (parameters.empty()) return {};
  return grad(loss, parameters, {.create_graph = create, .allow_unused = true});
}

}  // namespace

std::vector<Tensors> jacobian(const TensorFunction& f, const Tensors& inputs,
                              const JacobianOptions& options) {
  return JacobianMaker("jacobian", f, inputs, options).run();
}

Tensor jacobian(const TensorFunction& f, const Tensor& input, const JacobianOptions& options) {
  return only("jacobian", jacobian(f, Tensors{input}, options));
}

std::vector<Tensors> hessian(const TensorFunction& f, const Tensors& inputs,
                             const JacobianOptions& options) {
  const TensorFunction gradient = [&](const Tensors& in) {
    return gradient_of("hessian", f, in, options.batched, options.allow_unused);
  };
  JacobianOptions of_gradient = options;
  of_gradient.allow_unused = true;  // it need not depend on an input that f depends on
  return JacobianMaker("hessian", gradient, inputs, of_gradient).run();
}

Tensor hessian(const TensorFunction& f, const Tensor& input, const JacobianOptions& options) {
  return only("hessian", hessian(f, Tensors{input}, options));
}

Tensors per_sample_grad(const TensorFunction& f, const Tensors& inputs,
                        const TransformOptions& options) {
  return gradient_of("per_sample_grad", f, inputs, true, options.allow_unused);
}

Tensors per_sample_grad(const TensorFunction& f, const Tensors& inputs, const Tensors& parameters,
                        const TransformOptions& options) {
  constexpr const char* kWho = "per_sample_grad";
  const int64_t samples = batch_size(kWho, inputs);
  for (size_t i = 0; i < parameters.size(); ++i)
    check(parameters[i].defined() && parameters[i].requires_grad(),
          "{}: parameter {} does not require a gradient", kWho, i);
  std::vector<Tensors> found(parameters.size());
  std::vector<bool> used(parameters.size());
  for (int64_t n = 0; n < samples; ++n) {
    Tensors sample = inputs;
    for (Tensor& x : sample)
      if (x.defined()) x = slice(x, 0, n, n + 1);
    const Tensors g = gradients_of_one(kWho, f, sample, parameters);
    const Tensors filled = with_zeros(g, parameters);
    for (size_t i = 0; i < g.size(); ++i) {
      used[i] = used[i] || g[i].defined();
      found[i].push_back(filled[i]);
    }
  }
  Tensors stacked;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (samples && !used[i] && !options.allow_unused)
      fail_unused(kWho, "parameter", i, parameters[i]);
    Shape none = parameters[i].shape();
    none.insert(0, 0);
    stacked.push_back(samples ? stack(found[i], 0) : zeros(none, parameters[i].dtype()));
  }
  return stacked;
}

}  // namespace weft
