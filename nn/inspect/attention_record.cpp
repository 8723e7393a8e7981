// What a recorded call of attention computed, made again from what was kept of it.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/query_heads.h>
#include <weft/autograd/ops/detail/softmax_grad.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/parallel.h>
#include <weft/nn/inspect/detail/length.h>
#include <weft/nn/inspect/recorder.h>

#include <cmath>
#include <limits>

namespace weft {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionKind kind_of(const std::string& path, bool self) {
  if (!self) return AttentionKind::cross;
  const std::string inside = "." + path;
  if (inside.find(".encoder.") != std::string::npos) return AttentionKind::encoder_self;
  if (inside.find(".decoder.") != std::string::npos) return AttentionKind::decoder_self;
  return AttentionKind::self;
}

// Those of x along dim, all where x repeats.
Tensor at(const Tensor& x, int dim, const std::vector<int64_t>& index) {
  const auto n = static_cast<int64_t>(index.size());
  if (x.dim() < -dim || x.size(dim) == 1 || x.size(dim) == n) return x;
  return index_select(x, dim, from_vector(index, {n}));
}

// What was made before, or is made now.
template <class Make>
Tensor once(Tensor& made, Make make) {
  const OpScope unseen;
  if (!made.defined()) made = make();
  return made;
}

}  // namespace

AttentionRecord::AttentionRecord(std::string path, std::vector<int64_t> rows,
                                 std::vector<int64_t> heads, const AttentionStep& step)
    : path_(std::move(path)),
      kind_(kind_of(path_, step.self)),
      whole_{step.q.size(0), step.q.size(1)},
      rows_(std::move(rows)),
      heads_(std::move(heads)),
      options_(step.options),
      q_(chosen(step.q)),
      k_(chosen(detail::for_query_heads(step.k.detach(), whole_[1]))),
      v_(chosen(detail::for_query_heads(step.v.detach(), whole_[1]))),
      y_(chosen(step.output)) {
  if (options_.mask.defined()) options_.mask = chosen(options_.mask);
  // Not kept where gradients come to the values alone: dA and dS are then made from dO.
  const bool edited = !step.weights.same_handle(step.softmax);
  if (step.weights.defined() &&
      (edited || step.weights.requires_grad() || !step.output.requires_grad()))
    weights_ = chosen(step.weights);
}

// x, or a mask that broadcasts to [B, H, Tq, Tk].
Tensor AttentionRecord::chosen(const Tensor& x) const {
  return at(at(x.detach(), -4, rows_), -3, heads_);
}

double AttentionRecord::scale() const {
  return options_.scale.value_or(1 / std::sqrt(static_cast<double>(q_.size(3))));
}

Tensor AttentionRecord::value_norms() const {
  const OpScope unseen;
  return detail::length_of(v_);
}

Tensor AttentionRecord::scores() const {
  return once(made_.scores, [&] {
    Tensor s = matmul(q_ * scale(), transpose(k_, 2, 3));
    const Tensor hidden = scalar(-kInfinity, s.dtype()), &mask = options_.mask;
    if (mask.defined() && mask.dtype() == kBool) s = where(mask, s, hidden);
    if (mask.defined() && mask.dtype() != kBool)
      s = where(eq(mask, -kInfinity), hidden, s + to(mask, s.dtype()));
    if (options_.causal)
      s = where(ge(unsqueeze(arange(s.size(2)), 1), arange(s.size(3))), s, hidden);
    return s;
  });
}

Tensor AttentionRecord::softmax_of_scores() const {
  return once(made_.softmax, [&] {
    const Tensor s = scores();
    Tensor a = softmax(s, -1);
    if (!options_.mask.defined() || s.numel() == 0) return a;
    const Tensor all_hidden = eq(max(s, {-1}, true), -kInfinity);  // there the softmax is 0/0
    return max(to(all_hidden, s.dtype())).item() == 0 ? a : masked_fill(a, all_hidden, 0);
  });
}

Tensor AttentionRecord::weights() const {
  return weights_.defined() ? weights_ : softmax_of_scores();
}

// x [B, H, Tq, Tk] times the dropout mask of the run: addressed by index into all rows and heads.
Tensor AttentionRecord::with_dropout(const Tensor& x) const {
  if (options_.dropout == 0) return x;
  if (x.size(0) == whole_[0] && x.size(1) == whole_[1])
    return dropout(x, options_.dropout, options_.key);
  const Tensor dense = contiguous(x);
  Tensor y(dense.shape(), dense.dtype());
  const int64_t map = x.size(2) * x.size(3);
  dispatch_floating("attention record", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = dense.data<T>();
    T* into = static_cast<T*>(y.raw());
    const int64_t each = std::ssize(heads_);
    parallel_for(std::ssize(rows_) * each, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = rows_[static_cast<size_t>(i / each)],
                      head = heads_[static_cast<size_t>(i % each)];
        kernels::dropout<T>(from + i * map, into + i * map, (row * whole_[1] + head) * map, map,
                            options_.dropout, options_.key);
      }
    });
  });
  return y;
}

const Tensor& AttentionRecord::doutputs() const {
  check(has_gradients(), "attention record: no gradient has come to \"{}\"", path_);
  return dy_;
}

Tensor AttentionRecord::dweights() const {
  if (dweights_.defined()) return dweights_;
  return once(made_.dweights,
              [&] { return with_dropout(matmul(doutputs(), transpose(v_, 2, 3))); });
}

Tensor AttentionRecord::dscores() const {
  return once(made_.dscores, [&] {
    const Tensor a = softmax_of_scores(), da = weights_.defined() ? dsoftmax_ : dweights();
    if (da.defined()) return detail::softmax_grad(a, da, -1);
    doutputs();  // an Error unless backward came by: then interventions held the gradient back
    return zeros(a.shape(), a.dtype());
  });
}

Tensor AttentionRecord::dqueries() const {
  const OpScope unseen;
  return matmul(dscores(), k_) * scale();
}

Tensor AttentionRecord::dkeys() const {
  const OpScope unseen;
  return matmul(transpose(dscores(), 2, 3), q_) * scale();
}

Tensor AttentionRecord::dvalues() const {
  const OpScope unseen;
  return matmul(transpose(with_dropout(weights()), 2, 3), doutputs());
}

}  // namespace weft
