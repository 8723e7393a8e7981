// The public vocabulary: every op, one declaration each. Names and semantics are PyTorch's; where
// an op differs, its comment says so. Dims may count from the end. Operands of different dtypes
// are promoted (bool < int64 < float32 < float64). Ops throw Error on shapes, dims and dtypes that
// do not fit; the message names the op and prints the values.
#pragma once

#include <weft/core/tensor.h>

#include <limits>
#include <optional>
#include <string_view>

namespace weft {

// --- Arithmetic, with broadcasting (ops/arithmetic.cpp) ---

Tensor add(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, double b);
/// True division: integers become float32.
Tensor div(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, double b);
/// a^b, elementwise. The gradient of b needs a > 0 (it is 0 at a = 0, b >= 0).
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double exponent);
/// NaN in either operand gives NaN. At ties each operand gets half of the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, double b) { return add(a, -b); }
inline Tensor operator-(double a, const Tensor& b) { return add(mul(b, -1), a); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator/(double a, const Tensor& b) {
  return div(scalar(a, promote(b.dtype(), kFloat32)), b);
}
inline Tensor operator-(const Tensor& a) { return mul(a, -1); }

// --- Comparisons and choice (ops/compare.cpp); results of comparisons are bool, without gradient
// ---

Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, double b);
Tensor ne(const Tensor& a, double b);
Tensor lt(const Tensor& a, double b);
Tensor le(const Tensor& a, double b);
Tensor gt(const Tensor& a, double b);
Tensor ge(const Tensor& a, double b);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& a);
/// a where `condition` (bool) holds, b elsewhere; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// x with `value` where `mask` (bool, broadcast to x) holds.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

// --- Elementwise functions (ops/unary.cpp, ops/activations.cpp) ---

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1 / sqrt(x)
Tensor rsqrt(const Tensor& x);
/// Subgradient 0 at 0.
Tensor abs(const Tensor& x);
/// The gradient passes where lo <= x <= hi.
Tensor clamp(const Tensor& x, double lo, double hi = std::numeric_limits<double>::infinity());
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
/// Subgradient 0 at 0.
Tensor relu(const Tensor& x);
enum class Gelu { exact, tanh };
/// x Phi(x); `Gelu::tanh` is the approximation of Hendrycks and Gimpel (arXiv:1606.08415).
Tensor gelu(const Tensor& x, Gelu form = Gelu::exact);
/// a sigmoid(b), where a and b are the halves of x along dim (ops/composed.cpp).
Tensor glu(const Tensor& x, int dim = -1);
/// x sigmoid(x)
Tensor silu(const Tensor& x);
/// log(1 + exp(x)), without overflow.
Tensor softplus(const Tensor& x);

// --- Reductions (ops/reduce.cpp); dims empty means all ---

Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
/// Sum of squared deviations over (n - correction).
Tensor var(const Tensor& x, const Shape& dims = {}, int correction = 1, bool keepdim = false);
/// Ties share the gradient equally (as torch.amax does).
Tensor max(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor min(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
/// Index (int64) of the first largest element along dim.
Tensor argmax(const Tensor& x, int dim, bool keepdim = false);
/// log(sum(exp(x))); -inf where every element is -inf.
Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim = false);
/// y_i = x_1 + ... + x_i along dim; booleans count as int64 (ops/scan.cpp).
Tensor cumsum(const Tensor& x, int dim);
/// Sums x over the dims that broadcasting `shape` to x's shape had added or stretched. An Error
/// where it does not broadcast to x's shape.
Tensor sum_to(const Tensor& x, const Shape& shape);

// --- Views and copies (ops/views.cpp); a view shares storage with its source ---

/// Same elements, another shape; one entry may be -1. A view where strides can express it, else a
/// copy.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor permute(const Tensor& x, const Shape& dims);
Tensor transpose(const Tensor& x, int dim0, int dim1);
Tensor squeeze(const Tensor& x, int dim);
Tensor unsqueeze(const Tensor& x, int dim);
/// Size-1 dims stretched to `shape`; new dims may be added in front; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape);
/// Elements [start, end) along dim, or every `step`th of them from the first on; negative bounds
/// count from the end, both are clamped.
Tensor slice(const Tensor& x, int dim, int64_t start,
             int64_t end = std::numeric_limits<int64_t>::max(), int64_t step = 1);
/// Element `index` along dim, which disappears.
Tensor select(const Tensor& x, int dim, int64_t index);
/// x itself if row-major, else a row-major copy.
Tensor contiguous(const Tensor& x);
Tensor clone(const Tensor& x);
/// Converted elements; x itself if the dtype is the same. From floating to int64: towards 0, NaN
/// becomes 0, and what is out of range the nearest int64.
Tensor to(const Tensor& x, DType dtype);

// --- Joining and cutting (ops/join.cpp) ---

Tensor cat(const Tensors& xs, int dim);
Tensor stack(const Tensors& xs, int dim);
/// Views of `size` along dim each (the last may be smaller).
Tensors split(const Tensor& x, int64_t size, int dim);
Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int dim);
/// `before` and `after` elements of `value` added along dim.
Tensor pad(const Tensor& x, int dim, int64_t before, int64_t after, double value = 0);
/// The order along each of `dims` reversed; a copy (ops/scan.cpp).
Tensor flip(const Tensor& x, const Shape& dims);
/// Zeros above (tril) or below (triu) the diagonal of the last two dims.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

// --- Indexing (ops/indexing.cpp); indices are int64 and checked ---

/// Slices of x along dim, in the order of the 1-d `index`.
Tensor index_select(const Tensor& x, int dim, const Tensor& index);
/// out[i][j] = x[index[i][j]][j] for dim 0; shapes as in torch.gather.
Tensor gather(const Tensor& x, int dim, const Tensor& index);
/// x with src[i][j] added at [index[i][j]][j] for dim 0.
Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src);
/// Rows of `weight` [V, D] at `ids` [...] -> [..., D]. The row `padding_idx` gets no gradient.
Tensor embedding(const Tensor& ids, const Tensor& weight, std::optional<int64_t> padding_idx = {});

// --- Products (ops/matmul.cpp, ops/linear.cpp) ---

/// All forms of torch.matmul: vectors, matrices, batches of either, with broadcasting.
Tensor matmul(const Tensor& a, const Tensor& b);
/// x [..., in] W^T + b with W [out, in] and b [out] or undefined -> [..., out].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// torch.einsum (ops/einsum.cpp): `einsum("bqd,bkd->bqk", {q, k})`. A label twice in one operand
/// takes its diagonal; a label that the result lacks is summed over; "..." are further dims, which
/// broadcast. Without "->" the result has the labels that stand once, in alphabetical order.
Tensor einsum(std::string_view equation, const Tensors& operands);

enum class LinearActivation { relu, gelu };
struct ActivationOptions {
  LinearActivation activation = LinearActivation::relu;
  double dropout = 0;  ///< of the activations
  RandomKey key = {};  ///< addresses the dropout mask, as in dropout()
};
/// dropout(f(linear(x, weight, bias))) with f relu or (exact) gelu, in one pass over the result.
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         const ActivationOptions& options);

// --- Softmax and normalization (ops/softmax.cpp, ops/layer_norm.cpp, ops/composed.cpp) ---

Tensor softmax(const Tensor& x, int dim);
Tensor log_softmax(const Tensor& x, int dim);
/// (x - mean) / sqrt(var + eps) * weight + bias over the last dim; weight and bias [D] or
/// undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);
/// x / sqrt(mean(x^2) + eps) * weight over the last dim; weight [D] or undefined; eps is the
/// dtype's machine epsilon if left out.
Tensor rms_norm(const Tensor& x, const Tensor& weight = {}, std::optional<double> eps = {});

struct ResidualNormOptions {
  double eps = 1e-5;
  double dropout = 0;  ///< of the branch
  RandomKey key = {};  ///< addresses the dropout mask, as in dropout()
};
/// layer_norm(x + dropout(branch), weight, bias) in one pass; x and branch have one shape.
Tensor residual_layer_norm(const Tensor& x, const Tensor& branch, const Tensor& weight = {},
                           const Tensor& bias = {}, const ResidualNormOptions& options = {});

// --- Dropout (ops/dropout.cpp) ---

/// Zeroes each element with probability p and scales the others by 1 / (1 - p). The mask is a
/// function of the key and the element's row-major index alone: the same key, the same mask.
Tensor dropout(const Tensor& x, double p, RandomKey key);

// --- Losses (ops/losses.cpp, ops/cross_entropy.cpp) ---

enum class Reduction { none, mean, sum };

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
/// `target` in [0, 1]; `pos_weight` broadcasts to x.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        Reduction reduction = Reduction::mean,
                                        const Tensor& pos_weight = {});

struct CrossEntropyOptions {
  Tensor weight = {};                     ///< [V]: the weight of each class; undefined: all 1
  int64_t ignore_index = -100;            ///< rows with this target count nothing
  double label_smoothing = 0;             ///< in [0, 1]
  Reduction reduction = Reduction::mean;  ///< mean over the weights of the rows that count
};

/// -log p(target) from log-probabilities [N, V] or [V] and targets [N] or []. label_smoothing must
/// be 0.
Tensor nll_loss(const Tensor& log_probs, const Tensor& target,
                const CrossEntropyOptions& options = {});
/// From logits [..., V] and targets [...]: V is the last dim (PyTorch has classes second). Where no
/// row counts, mean is 0 with gradients 0 (PyTorch: NaN). Class weights get no gradient.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});
/// cross_entropy(linear(hidden, weight, bias), target) without ever holding all logits: they exist
/// as blocks of rows, and the gradients are made on the way. (Reduction::none does hold them.)
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                            const Tensor& target, const CrossEntropyOptions& options = {});
/// R-Drop (Liang et al. 2021, arXiv:2106.14448) of two passes' hidden, each [..., D]: with their
/// predictions p and q,
///   (CE(p) + CE(q)) / 2 + alpha / 4 (KL(p || q) + KL(q || p))
/// for each row, reduced as the options say; half of what the paper writes, so that two passes that
/// agree have the loss of one. As in linear_cross_entropy, logits exist as blocks of rows. Class
/// weights are an Error.
Tensor linear_r_drop(const Tensor& first, const Tensor& second, const Tensor& weight,
                     const Tensor& bias, const Tensor& target, double alpha,
                     const CrossEntropyOptions& options = {});

// --- Recurrent layers (ops/recurrent.cpp) ---

struct ScanOptions {
  Tensor within = {};    ///< bool [T, B]: where false, the row's state stays; undefined: all true
  bool reverse = false;  ///< from the last step to the first
};

/// A GRU's steps: from gates [T, B, 3 H] of its inputs (W x + b, rows r, z, n), the state [B, H] it
/// begins with, weight [3 H, H] and bias [3 H] or undefined of its states -> the state after each
/// step, [T, B, H]. As torch.nn.GRU computes it.
Tensor gru_scan(const Tensor& gates, const Tensor& hidden, const Tensor& weight,
                const Tensor& bias = {}, ScanOptions options = {});
/// An LSTM's, with 4 H gates (rows i, f, g, o) -> hidden states and cells, [T, B, H] each.
Tensors lstm_scan(const Tensor& gates, const Tensor& hidden, const Tensor& cell,
                  const Tensor& weight, const Tensor& bias = {}, ScanOptions options = {});

// --- Attention (ops/attention.cpp) ---

struct AttentionOptions {
  Tensor mask = {};                  ///< bool (true: may attend) or floating (added to the scores);
                                     ///< broadcasts to [B, H, Tq, Tk]; undefined: none
  bool causal = false;               ///< query i sees keys 0..i (aligned top-left)
  std::optional<double> scale = {};  ///< 1 / sqrt(Dh) if left out
  double dropout = 0;                ///< of the attention weights
  RandomKey key = {};                ///< addresses the dropout mask by index into [B, H, Tq, Tk]
  bool enable_gqa = false;  ///< k and v may have fewer heads: each serves a run of query heads
};

/// softmax(q k^T * scale + mask) v (Vaswani et al. 2017) for q [B, H, Tq, Dh], k [B, H, Tk, Dh],
/// v [B, H, Tk, Dv] -> [B, H, Tq, Dv]. A query that may attend to nothing gives zeros, and zero
/// gradients (PyTorch: NaN). A key and its value that no query may attend to may hold anything, NaN
/// too: they change no output and no other gradient, and their own is 0.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

struct AttentionWithWeights {
  Tensor output;   ///< [B, H, Tq, Dv]
  Tensor weights;  ///< [B, H, Tq, Tk], before dropout, on the path to `output`
};
/// The same computed step by step, weights included.
AttentionWithWeights attention_with_weights(const Tensor& q, const Tensor& k, const Tensor& v,
                                            const AttentionOptions& options = {});

}  // namespace weft
