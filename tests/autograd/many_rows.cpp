// Ops on more rows than one thread takes equal the same ops on a few rows at a time: every thread
// finds its part of every operand, forward and backward.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <functional>

using namespace weft;

namespace {

constexpr int64_t kRows = 3000, kPart = 250, kWidth = 17;

struct Rowwise {
  const char* name;
  std::function<Tensor(const Tensor&)> f;  // [N, D] -> [N] or [N, ...], each row by itself
};

struct Result {
  Tensor y, dx;
};

Result evaluate(const Rowwise& op, const Tensor& rows) {
  const Tensor x = rows.detach().set_requires_grad();
  const Tensor y = op.f(x);
  return {y.detach(), grad(sum(y * y), x)};
}

Result in_parts(const Rowwise& op, const Tensor& rows) {
  Tensors ys, dxs;
  for (int64_t first = 0; first < kRows; first += kPart) {
    const Result part = evaluate(op, slice(rows, 0, first, first + kPart));
    ys.push_back(part.y);
    dxs.push_back(part.dx);
  }
  return {cat(ys, 0), cat(dxs, 0)};
}

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

const Tensor& bias() {
  static Generator generator(4);
  static const Tensor kBias = randn({kWidth}, generator, kFloat64);
  return kBias;
}

// bias() on the diagonal.
Tensor spread() {
  return masked_fill(expand(bias(), {kWidth, kWidth}),
                     ne(unsqueeze(arange(kWidth), 1), arange(kWidth)), 0.25);
}

const Rowwise kOps[] = {
    {"add", [](const Tensor& x) { return x + bias(); }},
    {"add of a column", [](const Tensor& x) { return x + sum(x, {1}, true); }},
    {"mul by a number", [](const Tensor& x) { return x * 3; }},
    {"pow", [](const Tensor& x) { return pow(x, 3); }},
    {"where", [](const Tensor& x) { return where(gt(x, 0), x, bias()); }},
    {"clamp", [](const Tensor& x) { return clamp(x, -1, 1); }},
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"abs of a transposed",
     [](const Tensor& x) { return transpose(abs(transpose(x, 0, 1)), 0, 1); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"softmax", [](const Tensor& x) { return softmax(x, 1); }},
    {"log_softmax", [](const Tensor& x) { return log_softmax(x, 1); }},
    {"logsumexp", [](const Tensor& x) { return logsumexp(x, {1}); }},
    {"sum", [](const Tensor& x) { return sum(x, {1}); }},
    {"max", [](const Tensor& x) { return max(x, {1}); }},
    {"cumsum", [](const Tensor& x) { return cumsum(x, 1); }},
    {"layer_norm", [](const Tensor& x) { return layer_norm(x, bias(), bias()); }},
    {"index_select",
     [](const Tensor& x) {
       return index_select(x, 1, tensor({3, 0, 3}));
     }},
    {"matmul",
     [](const Tensor& x) {
       return matmul(x, reshape(bias(), {kWidth, 1}));
     }},
    {"linear",
     [](const Tensor& x) {
       return linear(x, reshape(bias(), {1, kWidth}));
     }},
    {"linear_activation, relu",
     [](const Tensor& x) { return linear_activation(x, spread(), {}, {LinearActivation::relu}); }},
    {"linear_activation, gelu",
     [](const Tensor& x) {
       return linear_activation(x, spread(), bias(), {LinearActivation::gelu});
     }},
    {"residual_layer_norm", [](const Tensor& x) { return residual_layer_norm(x, x * 2, bias()); }},
    {"rms_norm", [](const Tensor& x) { return rms_norm(x, bias()); }},
    {"cross_entropy",
     [](const Tensor& x) {
       return cross_entropy(x, full({x.size(0)}, 2, kInt64), {.reduction = Reduction::none});
     }},
};

}  // namespace

TEST_CASE("ops on many rows equal the same ops on few") {
  Generator generator(3);
  const Tensor rows = randn({kRows, kWidth}, generator, kFloat64);
  const int before = num_threads();
  for (const Rowwise& op : kOps) {
    INFO(op.name);
    set_num_threads(3);
    const Result whole = evaluate(op, rows);
    set_num_threads(1);
    const Result parts = in_parts(op, rows);
    CHECK(distance(whole.y, parts.y) < 1e-12);
    CHECK(distance(whole.dx, parts.dx) < 1e-11);
  }
  set_num_threads(before);
}
