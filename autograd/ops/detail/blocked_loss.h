// Losses of logits z = h W^T + b on blocks of rows, shared by linear_cross_entropy and
// linear_r_drop. A block's logits become their own gradients dz in place while they are in cache,
// and then
//   dh = dz W,  dW += dz^T h,  db += sum over rows of dz
// so backward only scales by dy. Rows that do not count are left out from the start. Not public.
#pragma once

#include <weft/autograd/ops/detail/class_targets.h>
#include <weft/core/blas.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/kernels/reduce.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <array>
#include <optional>

namespace weft {

/// What is predicted from in each pass, and what makes logits of it.
struct LogitOperands {
  Tensors hidden;  ///< of each pass, [..., D]
  Tensor weight;   ///< [V, D]
  Tensor bias;     ///< [V] or undefined
};

/// The shape [...] that the targets must have; or an Error that begins with `who`.
Shape check_logit_operands(const char* who, const LogitOperands& in);

/// Gradients for dy = 1: room for those that somebody wants, else undefined.
struct LogitGradients {
  LogitGradients(const LogitOperands& in, const ClassTargets& targets);

  Tensors hidden;
  Tensor weight, bias;
};

/// The gradient times dy. Most losses are where backward starts: dy is 1, and a copy of the
/// gradients would be the peak.
Tensor scaled_by(const Tensor& gradient, const Tensor& dy);

/// The rows that count, one after the other.
struct CountedRows {
  explicit CountedRows(const ClassTargets& targets);

  Tensor index;   ///< [n] into the hidden rows
  Tensor target;  ///< [n]
};

/// The sum of the losses over kPasses passes, and the gradients of scale times that sum.
template <class T, size_t kPasses>
class BlockedLoss {
 public:
  BlockedLoss(const LogitOperands& in, const ClassTargets& targets)
      : rows_(targets),
        in_place_(kPasses == 1 && rows_.index.numel() == targets.rows.numel()),
        w_(contiguous(in.weight)),
        b_(in.bias.defined() ? contiguous(in.bias) : in.bias),
        scale_(targets.scale),
        classes_(in.weight.size(0)),
        width_(in.weight.size(1)) {
    for (size_t pass = 0; pass < kPasses; ++pass) h_[pass] = contiguous(in.hidden[pass]);
  }

  /// replace(z, target, loss, rows) puts losses [rows] into loss, and gradients in the place of
  /// each pass's logits z[pass] [rows, V]; threads call it at once, for rows of their own.
  template <class Replace>
  Tensor run(LogitGradients& d, Replace replace) {
    const int64_t n = rows_.index.numel(), block = rows_per_block(n), most = passes(block);
    const bool hidden_wanted = std::any_of(d.hidden.begin(), d.hidden.end(), is_wanted);
    if (!in_place_) hidden_ = Tensor({most, width_}, dtype_of<T>);
    logits_ = Tensor({most, classes_}, dtype_of<T>);
    losses_ = Tensor({n}, dtype_of<T>);
    to_logits_.emplace(true, most, classes_, width_, memory(w_), width_);
    if (hidden_wanted) to_hidden_.emplace(false, most, width_, classes_, memory(w_), width_);
    for (int64_t first = 0; first < n; first += block)
      add_block(first, std::min(block, n - first), d, replace);
    return sum(losses_) * scale_;
  }

 private:
  static constexpr int64_t kRows = 24;                       // a block has a multiple of so many
  static constexpr int64_t kBlockLogits = int64_t{1} << 21;  // of one block, if enough for kRows

  static constexpr int64_t passes(int64_t rows) { return static_cast<int64_t>(kPasses) * rows; }

  // Equal blocks, but for the last.
  int64_t rows_per_block(int64_t rows) const {
    const int64_t most =
        std::max<int64_t>(kBlockLogits / std::max<int64_t>(passes(classes_), 1) / kRows, 1);
    const int64_t blocks = std::max<int64_t>((rows + most * kRows - 1) / (most * kRows), 1);
    return std::min(rows, (rows + blocks * kRows - 1) / (blocks * kRows) * kRows);
  }

  static bool is_wanted(const Tensor& t) { return t.defined(); }
  static T* memory(const Tensor& t) { return t.defined() ? static_cast<T*>(t.raw()) : nullptr; }
  const int64_t* index(int64_t first) const { return rows_.index.template data<int64_t>() + first; }

  // Rows of all passes, those of one after those of the other.
  T* hidden_rows(int64_t first, int64_t n) {
    if (in_place_) return memory(h_[0]) + first * width_;
    for (size_t pass = 0; pass < kPasses; ++pass)
      kernels::gather_rows<T>(memory(h_[pass]), index(first),
                              memory(hidden_) + static_cast<int64_t>(pass) * n * width_, n, width_);
    return memory(hidden_);
  }

  template <class Replace>
  void add_block(int64_t first, int64_t n, LogitGradients& d, Replace& replace) {
    T *const z = memory(logits_), *const loss = memory(losses_) + first, *const bias = memory(b_);
    const int64_t* target = rows_.target.template data<int64_t>() + first;
    auto replace_rows = [&](int64_t begin, int64_t end) {
      std::array<T*, kPasses> at;
      for (size_t pass = 0; pass < kPasses; ++pass)
        at[pass] = z + (static_cast<int64_t>(pass) * n + begin) * classes_;
      replace(at, target + begin, loss + begin, end - begin);
    };
    auto finish = [&](int64_t begin, int64_t end) {
      if (bias)
        for (int64_t r = begin; r < end; ++r)
          kernels::add_inplace<T>(z + r * classes_, bias, classes_);
      if constexpr (kPasses == 1) replace_rows(begin, end);
    };
    const T* h = hidden_rows(first, n);
    to_logits_->multiply(passes(n), h, width_, z, classes_, finish);
    if constexpr (kPasses > 1)  // a row's passes may be finished by different threads
      parallel_for(n, grain_of_cost(static_cast<double>(classes_)), replace_rows);
    add_gradients(first, n, h, d);
  }

  // From dz, which has taken the logits' place; on top of what other blocks left there.
  void add_gradients(int64_t first, int64_t n, const T* h, LogitGradients& d) {
    const bool more = first > 0;
    T* dz = memory(logits_);
    if (T* dw = memory(d.weight))
      gemm<T>(true, false, classes_, width_, passes(n), T(1), dz, classes_, h, width_,
              T(more ? 1 : 0), dw, width_);
    if (T* db = memory(d.bias)) {
      Tensor part({classes_}, dtype_of<T>);
      kernels::sum<T>(dz, more ? memory(part) : db, 1, passes(n), classes_);
      if (more) kernels::add_inplace<T>(db, memory(part), classes_);
    }
    if (!to_hidden_) return;
    if (in_place_)
      return to_hidden_->multiply(n, dz, classes_, memory(d.hidden[0]) + first * width_, width_);
    to_hidden_->multiply(passes(n), dz, classes_, memory(hidden_), width_);
    for (size_t pass = 0; pass < kPasses; ++pass)
      if (T* dh = memory(d.hidden[pass]))
        kernels::scatter_rows<T>(memory(hidden_) + static_cast<int64_t>(pass) * n * width_,
                                 index(first), dh, n, width_);
  }

  const CountedRows rows_;
  const bool in_place_;  // there is one pass, all of whose rows count
  const Tensor w_, b_;
  const double scale_;
  const int64_t classes_, width_;
  std::array<Tensor, kPasses> h_;
  Tensor hidden_;                                         // of one block, where not in place
  Tensor logits_, losses_;                                // of one block; of all rows
  std::optional<RightOperand<T>> to_logits_, to_hidden_;  // the weight, for all blocks
};

}  // namespace weft
