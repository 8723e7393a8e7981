// Ops that compute numbers, each with random inputs and settings.
#include <weft/core/detail/check.h>
#include <weft/tests/fuzz/graph_builder.h>

#include <algorithm>
#include <array>

namespace weft::fuzz {
namespace {

constexpr double kGap = 0.01;  // distance from kinks and ties

bool away_from(const Tensor& t, double kink) { return min(abs(t - kink)).item() > kGap; }

// --- Elementwise ---

struct Unary {
  const char* name;
  Tensor (*f)(const Tensor&);
  std::vector<double> kinks = {};
};

const std::vector<Unary> kUnary = {
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu tanh", [](const Tensor& x) { return gelu(x, Gelu::tanh); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"exp(x / 2)", [](const Tensor& x) { return exp(x / 2); }},
    {"log(x^2 + 0.5)", [](const Tensor& x) { return log(x * x + 0.5); }},
    {"sqrt(x^2 + 0.5)", [](const Tensor& x) { return sqrt(x * x + 0.5); }},
    {"rsqrt(x^2 + 0.5)", [](const Tensor& x) { return rsqrt(x * x + 0.5); }},
    {"1 - x", [](const Tensor& x) { return 1 - x; }},
    {"x^3 / 4", [](const Tensor& x) { return pow(x, 3) / 4; }},
    {"2 / (x^2 + 1)", [](const Tensor& x) { return 2 / (x * x + 1); }},
    {"relu", [](const Tensor& x) { return relu(x); }, {0}},
    {"abs", [](const Tensor& x) { return abs(x); }, {0}},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 1); }, {-0.5, 1}},
    {"l1_loss to 0.25",
     [](const Tensor& x) { return l1_loss(x, full(x.shape(), 0.25, kFloat64)); },
     {0.25}},
};

void add_unary(Builder& b) {
  const Unary& op = kUnary[static_cast<size_t>(b.below(static_cast<int64_t>(kUnary.size())))];
  const size_t x = b.pick();
  for (double kink : op.kinks)
    if (!away_from(b.value(x), kink)) return;
  b.add(op.name, {x}, [f = op.f](const Tensors& in) { return f(in[0]); });
}

bool broadcast_together(const Shape& a, const Shape& b) {
  const int common = std::min(a.rank(), b.rank());
  for (int d = 1; d <= common; ++d) {
    const int64_t m = a[a.rank() - d], n = b[b.rank() - d];
    if (m != n && m != 1 && n != 1) return false;
  }
  return true;
}

// A value that broadcasts with value i: one that is there, or a leaf with some dims of size 1.
size_t partner(Builder& b, size_t i) {
  for (int tries = 0; tries < 4; ++tries)
    if (const size_t j = b.pick(); broadcast_together(b.value(i).shape(), b.value(j).shape()))
      return j;
  Shape shape = b.value(i).shape();
  for (int d = 0; d < shape.rank(); ++d)
    if (b.flip()) shape[d] = 1;
  return b.make_leaf(shape);
}

struct Binary {
  const char* name;
  Tensor (*f)(const Tensor&, const Tensor&);
  bool ties = false;
};

const std::vector<Binary> kBinary = {
    {"add", [](const Tensor& a, const Tensor& b) { return a + b; }},
    {"sub", [](const Tensor& a, const Tensor& b) { return a - b; }},
    {"mul", [](const Tensor& a, const Tensor& b) { return a * b; }},
    {"a / (b^2 + 1)", [](const Tensor& a, const Tensor& b) { return a / (b * b + 1); }},
    {"pow(a^2 + 0.5, b)", [](const Tensor& a, const Tensor& b) { return pow(a * a + 0.5, b); }},
    {"maximum", [](const Tensor& a, const Tensor& b) { return maximum(a, b); }, true},
    {"minimum", [](const Tensor& a, const Tensor& b) { return minimum(a, b); }, true},
};

void add_binary(Builder& b) {
  const Binary& op = kBinary[static_cast<size_t>(b.below(static_cast<int64_t>(kBinary.size())))];
  const size_t x = b.pick(), y = partner(b, x);
  if (op.ties && !away_from(b.value(x) - b.value(y), 0)) return;
  b.add(op.name, {x, y}, [f = op.f](const Tensors& in) { return f(in[0], in[1]); });
}

void add_where(Builder& b) {
  const size_t x = b.pick(), y = partner(b, x);
  const Tensor mask =
      b.booleans(broadcast_shapes("where", b.value(x).shape(), b.value(y).shape()), 0.5);
  b.add("where", {x, y}, [mask](const Tensors& in) { return where(mask, in[0], in[1]); });
}

void add_masked_fill(Builder& b) {
  const size_t x = b.pick();
  const Tensor mask = b.booleans(b.value(x).shape(), 0.3);
  b.add("masked_fill 0.5", {x},
        [mask](const Tensors& in) { return masked_fill(in[0], mask, 0.5); });
}

void add_dropout(Builder& b) {
  const RandomKey key = b.key();
  b.add("dropout 0.3", {b.pick()}, [key](const Tensors& in) { return dropout(in[0], 0.3, key); });
}

// --- Reductions and rows ---

Shape random_dims(Builder& b, const Tensor& x) {
  Shape dims;
  for (int d = 0; d < x.dim(); ++d)
    if (b.flip()) dims.push_back(d);
  return dims;
}

bool untied(const Tensor& x, const Tensor& extreme) {
  return sum(lt(abs(x - extreme), kGap)).item<int64_t>() == extreme.numel();
}

void add_reduction(Builder& b) {
  using Reduce = Tensor (*)(const Tensor&, const Shape&, bool);
  static constexpr std::array<std::pair<const char*, Reduce>, 6> kReductions{
      {{"sum", sum},
       {"mean", mean},
       {"max", max},
       {"min", min},
       {"logsumexp", logsumexp},
       {"var", [](const Tensor& x, const Shape& d, bool k) { return var(x, d, 0, k); }}}};
  const auto& [name, f] = kReductions[static_cast<size_t>(b.below(6))];
  const size_t x = b.pick();
  const Shape dims = random_dims(b, b.value(x));
  const bool keep = b.flip();
  const bool ties = f == max || f == min;
  if (ties && !untied(b.value(x), f(b.value(x), dims, true))) return;
  b.add(fmt::format("{} {}{}", name, dims, keep ? " kept" : ""), {x},
        [f = f, dims, keep](const Tensors& in) { return f(in[0], dims, keep); });
}

void add_softmax(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const bool log = b.flip();
  b.add(fmt::format("{}softmax {}", log ? "log_" : "", d), {x},
        [=](const Tensors& in) { return log ? log_softmax(in[0], d) : softmax(in[0], d); });
}

void add_layer_norm(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const Shape width{b.value(x).size(-1)};
  std::vector<size_t> inputs{x};
  for (int64_t affine = b.below(3); affine > 0; --affine) inputs.push_back(b.pick_or_make(width));
  b.add("layer_norm 0.1", inputs, [](const Tensors& in) {
    return layer_norm(in[0], in.size() > 1 ? in[1] : Tensor(), in.size() > 2 ? in[2] : Tensor(),
                      0.1);
  });
}

void add_rms_norm(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const size_t w = b.pick_or_make({b.value(x).size(-1)});
  b.add("rms_norm 0.1", {x, w}, [](const Tensors& in) { return rms_norm(in[0], in[1], 0.1); });
}

void add_cumsum(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  if (b.value(x).size(d) % 2 == 0 && b.flip())
    b.add(fmt::format("glu {}", d), {x}, [d](const Tensors& in) { return glu(in[0], d); });
  else
    b.add(fmt::format("cumsum {}", d), {x}, [d](const Tensors& in) { return cumsum(in[0], d); });
}

// --- Products ---

void add_einsum(Builder& b) {
  const size_t x = b.pick(), y = b.pick_or_make({2, 3});
  if (b.value(x).dim() != 2 || b.value(y).dim() != 2) return;
  const bool shared = b.value(x).size(0) == b.value(y).size(0);
  const std::string equation = shared ? "ij,ik->kj" : "ij,kl->il";
  b.add("einsum " + equation + ", halved", {x, y},
        [equation](const Tensors& in) { return einsum(equation, in) / 2; });
}

void add_matmul(Builder& b) {
  const size_t x = b.pick();
  const Tensor& t = b.value(x);
  if (t.dim() == 0) return;
  if (t.dim() >= 2 && b.flip()) {
    b.add("matmul with its transpose, halved", {x},
          [](const Tensors& in) { return matmul(in[0], transpose(in[0], -1, -2)) / 2; });
    return;
  }
  Shape shape{t.size(-1)};
  if (b.flip()) shape.push_back(1 + b.below(4));
  if (shape.rank() == 2 && t.dim() > 2 && b.flip()) shape.insert(0, t.size(-3));
  const size_t y = b.pick_or_make(shape);
  b.add("matmul, halved", {x, y}, [](const Tensors& in) { return matmul(in[0], in[1]) / 2; });
}

void add_linear(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int64_t out = 1 + b.below(4);
  std::vector<size_t> inputs{x, b.pick_or_make({out, b.value(x).size(-1)})};
  if (b.flip()) inputs.push_back(b.pick_or_make({out}));
  b.add("linear, halved", inputs, [](const Tensors& in) {
    return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor()) / 2;
  });
}

AttentionOptions random_attention(Builder& b, int64_t tq, int64_t tk) {
  AttentionOptions o;
  const int64_t kind = b.below(4);
  if (kind == 0) o.mask = b.booleans({tq, tk}, 0.7);
  if (kind == 1) o.mask = b.normal({tq, tk});
  if (kind == 2) o.mask = b.booleans({1, 1, 1, tk}, 0.7);
  o.causal = b.flip();
  if (b.flip()) o.scale = 0.7;
  if (b.flip()) o.dropout = 0.3;
  o.key = b.key();
  return o;
}

// Queries, keys and values are other values, as rows of `width` numbers.
void add_attention(Builder& b) {
  const size_t q = b.pick(), k = b.pick();
  const int64_t width = b.flip() ? 2 : 3;
  if (b.value(q).numel() % width != 0 || b.value(k).numel() % width != 0) return;
  const size_t v = b.flip() ? k : b.pick_or_make(b.value(k).shape());
  const AttentionOptions o =
      random_attention(b, b.value(q).numel() / width, b.value(k).numel() / width);
  const bool weights = b.below(3) == 0;
  auto rows = [width](const Tensor& t) { return reshape(t, {1, 1, -1, width}); };
  b.add(weights ? "attention_with_weights" : "scaled_dot_product_attention", {q, k, v},
        [=](const Tensors& in) {
          const Tensor x = rows(in[0]), y = rows(in[1]), z = rows(in[2]);
          if (!weights) return scaled_dot_product_attention(x, y, z, o);
          const auto found = attention_with_weights(x, y, z, o);
          return cat({found.output, found.weights}, -1);
        });
}

// --- Losses ---

Reduction random_reduction(Builder& b) {
  static constexpr std::array kAll{Reduction::none, Reduction::mean, Reduction::sum};
  return kAll[static_cast<size_t>(b.below(3))];
}

void add_pair_loss(Builder& b) {
  const size_t x = b.pick(), y = b.pick_or_make(b.value(x).shape());
  const Reduction r = random_reduction(b);
  if (b.flip())
    b.add("mse_loss / 4", {x, y}, [r](const Tensors& in) { return mse_loss(in[0], in[1], r) / 4; });
  else
    b.add("binary_cross_entropy_with_logits", {x, y}, [r](const Tensors& in) {
      return binary_cross_entropy_with_logits(in[0], sigmoid(in[1]), r);
    });
}

void add_cross_entropy(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() != 2) return;
  const int64_t rows = b.value(x).size(0), width = b.value(x).size(1);
  const bool with_linear = b.flip();
  const int64_t classes = with_linear ? 3 : width;
  const Tensor target = b.integers({rows}, classes);
  const CrossEntropyOptions o{.ignore_index = b.flip() ? 0 : -100,
                              .label_smoothing = b.flip() ? 0.1 : 0,
                              .reduction = random_reduction(b)};
  if (!with_linear) {
    b.add("cross_entropy", {x}, [=](const Tensors& in) { return cross_entropy(in[0], target, o); });
    return;
  }
  const size_t w = b.pick_or_make({classes, width}), bias = b.pick_or_make({classes});
  if (b.flip()) {
    const size_t other = b.pick_or_make({rows, width});
    b.add("linear_r_drop", {x, other, w, bias}, [=](const Tensors& in) {
      return linear_r_drop(in[0], in[1], in[2], in[3], target, 2, o);
    });
    return;
  }
  b.add("linear_cross_entropy", {x, w, bias},
        [=](const Tensors& in) { return linear_cross_entropy(in[0], in[1], in[2], target, o); });
}

void add_nll(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() != 2) return;
  const Tensor target = b.integers({b.value(x).size(0)}, b.value(x).size(1));
  const Reduction r = random_reduction(b);
  b.add("nll_loss", {x},
        [=](const Tensors& in) { return nll_loss(in[0], target, {.reduction = r}); });
}

}  // namespace

const std::vector<Maker>& number_ops() {
  static const std::vector<Maker> kMakers{
      add_unary,         add_unary,    add_unary,     add_binary,     add_binary,
      add_binary,        add_where,    add_softmax,   add_layer_norm, add_masked_fill,
      add_matmul,        add_matmul,   add_linear,    add_linear,     add_attention,
      add_attention,     add_dropout,  add_reduction, add_reduction,  add_pair_loss,
      add_cross_entropy, add_rms_norm, add_cumsum,    add_einsum,     add_nll};
  return kMakers;
}

}  // namespace weft::fuzz
