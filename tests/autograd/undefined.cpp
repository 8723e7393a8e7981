// Every op refuses undefined operands with an Error that names it, one operand at a time.
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace weft;

namespace {

using Call = std::function<void()>;
using Calls = std::vector<std::pair<std::string, Call>>;

void check_all(const Calls& calls) {
  for (const auto& [message, call] : calls) CHECK(message_of(call) == message);
}

const Tensor none, x = ones({2, 3}), yes = gt(x, 0), ids = tensor({0, 1});

// An op of two tensors, each undefined in turn.
void add_pair(Calls& calls, const std::string& name, Tensor (*f)(const Tensor&, const Tensor&)) {
  calls.emplace_back(name + ": an operand is undefined", [f] { f(none, x); });
  calls.emplace_back(name + ": an operand is undefined", [f] { f(x, none); });
}

void add_one(Calls& calls, const std::string& name, const std::function<void(const Tensor&)>& f) {
  calls.emplace_back(name + ": the operand is undefined", [f] { f(none); });
}

}  // namespace

TEST_CASE("undefined operands of arithmetic, comparisons and choice are errors") {
  Calls calls;
  add_pair(calls, "add", add);
  add_pair(calls, "sub", sub);
  add_pair(calls, "mul", mul);
  add_pair(calls, "div", div);
  add_pair(calls, "pow", pow);
  add_pair(calls, "maximum", maximum);
  add_pair(calls, "minimum", minimum);
  add_pair(calls, "eq", eq);
  add_pair(calls, "ge", ge);
  add_one(calls, "add", [](const Tensor& t) { add(t, 1); });
  add_one(calls, "mul", [](const Tensor& t) { mul(t, 2); });
  add_one(calls, "div", [](const Tensor& t) { div(t, 2); });
  add_one(calls, "pow", [](const Tensor& t) { pow(t, 2); });
  add_one(calls, "lt", [](const Tensor& t) { lt(t, 2); });
  for (const auto& [c, a, b] : {std::tuple{none, x, x}, {yes, none, x}, {yes, x, none}})
    calls.emplace_back("where: an operand is undefined", [c = c, a = a, b = b] { where(c, a, b); });
  calls.emplace_back("masked_fill: an operand is undefined", [] { masked_fill(none, yes, 0); });
  calls.emplace_back("masked_fill: an operand is undefined", [] { masked_fill(x, none, 0); });
  check_all(calls);
}

TEST_CASE("undefined operands of functions, reductions and rows are errors") {
  Calls calls;
  add_one(calls, "exp", [](const Tensor& t) { exp(t); });
  add_one(calls, "log", [](const Tensor& t) { log(t); });
  add_one(calls, "sqrt", [](const Tensor& t) { sqrt(t); });
  add_one(calls, "abs", [](const Tensor& t) { abs(t); });
  add_one(calls, "clamp", [](const Tensor& t) { clamp(t, 0); });
  add_one(calls, "tanh", [](const Tensor& t) { tanh(t); });
  add_one(calls, "relu", [](const Tensor& t) { relu(t); });
  add_one(calls, "gelu", [](const Tensor& t) { gelu(t); });
  add_one(calls, "silu", [](const Tensor& t) { silu(t); });
  add_one(calls, "sum", [](const Tensor& t) { sum(t); });
  add_one(calls, "max", [](const Tensor& t) { max(t); });
  add_one(calls, "argmax", [](const Tensor& t) { argmax(t, 0); });
  add_one(calls, "logsumexp", [](const Tensor& t) { logsumexp(t, {}); });
  add_one(calls, "softmax", [](const Tensor& t) { softmax(t, 0); });
  add_one(calls, "log_softmax", [](const Tensor& t) { log_softmax(t, 0); });
  add_one(calls, "layer_norm", [](const Tensor& t) { layer_norm(t); });
  add_one(calls, "rms_norm", [](const Tensor& t) { rms_norm(t); });
  add_one(calls, "glu", [](const Tensor& t) { glu(t); });
  add_one(calls, "cumsum", [](const Tensor& t) { cumsum(t, 0); });
  add_one(calls, "flip", [](const Tensor& t) { flip(t, {0}); });
  add_one(calls, "dropout", [](const Tensor& t) { dropout(t, 0.5, {}); });
  calls.emplace_back("mean: expected a floating dtype; got an undefined tensor",
                     [] { mean(none); });
  check_all(calls);
}

TEST_CASE("undefined operands of views, joins and indexing are errors") {
  Calls calls;
  add_one(calls, "reshape", [](const Tensor& t) { reshape(t, {1}); });
  add_one(calls, "permute", [](const Tensor& t) { permute(t, {0}); });
  add_one(calls, "transpose", [](const Tensor& t) { transpose(t, 0, 1); });
  add_one(calls, "squeeze", [](const Tensor& t) { squeeze(t, 0); });
  add_one(calls, "unsqueeze", [](const Tensor& t) { unsqueeze(t, 0); });
  add_one(calls, "expand", [](const Tensor& t) { expand(t, {1}); });
  add_one(calls, "slice", [](const Tensor& t) { slice(t, 0, 0); });
  add_one(calls, "select", [](const Tensor& t) { select(t, 0, 0); });
  add_one(calls, "contiguous", [](const Tensor& t) { contiguous(t); });
  add_one(calls, "clone", [](const Tensor& t) { clone(t); });
  add_one(calls, "to", [](const Tensor& t) { to(t, kFloat64); });
  add_one(calls, "pad", [](const Tensor& t) { pad(t, 0, 1, 1); });
  add_one(calls, "tril", [](const Tensor& t) { tril(t); });
  add_one(calls, "split", [](const Tensor& t) { split(t, 1, 0); });
  add_one(calls, "split", [](const Tensor& t) { split(t, {1, 1}, 0); });
  for (const Tensors& xs : {Tensors{none, x}, Tensors{x, none}}) {
    calls.emplace_back("cat: a tensor is undefined", [xs] { cat(xs, 0); });
    calls.emplace_back("stack: a tensor is undefined", [xs] { stack(xs, 0); });
  }
  add_pair(calls, "index_select",
           [](const Tensor& t, const Tensor& i) { return index_select(t, 0, i); });
  add_pair(calls, "gather", [](const Tensor& t, const Tensor& i) { return gather(t, 0, i); });
  add_pair(calls, "embedding", [](const Tensor& i, const Tensor& w) { return embedding(i, w); });
  for (const auto& [t, i, s] : {std::tuple{none, ids, x}, {x, none, x}, {x, ids, none}})
    calls.emplace_back("scatter_add: an operand is undefined",
                       [t = t, i = i, s = s] { scatter_add(t, 0, i, s); });
  check_all(calls);
}

TEST_CASE("undefined operands of products, losses and attention are errors") {
  Calls calls;
  add_pair(calls, "matmul", matmul);
  add_pair(calls, "linear", [](const Tensor& a, const Tensor& b) { return linear(a, b); });
  add_pair(calls, "mse_loss", [](const Tensor& a, const Tensor& b) { return mse_loss(a, b); });
  add_pair(calls, "l1_loss", [](const Tensor& a, const Tensor& b) { return l1_loss(a, b); });
  add_pair(calls, "linear_cross_entropy",
           [](const Tensor& a, const Tensor& b) { return linear_cross_entropy(a, b, {}, ids); });
  add_pair(calls, "linear_r_drop",
           [](const Tensor& a, const Tensor& b) { return linear_r_drop(x, a, b, {}, ids, 5); });
  calls.emplace_back("einsum: operand 1 is undefined", [] { einsum("ij,jk->ik", {x, none}); });
  calls.emplace_back("nll_loss: the log-probabilities are undefined", [] { nll_loss(none, ids); });
  calls.emplace_back("nll_loss: the targets are undefined", [] { nll_loss(x, none); });
  calls.emplace_back("cross_entropy: the logits are undefined", [] { cross_entropy(none, ids); });
  calls.emplace_back("cross_entropy: the targets are undefined", [] { cross_entropy(x, none); });
  const Tensor h = ones({1, 1, 2, 3});
  for (const auto& [q, k, v] : {std::tuple{none, h, h}, {h, none, h}, {h, h, none}}) {
    calls.emplace_back("scaled_dot_product_attention: an operand is undefined",
                       [q = q, k = k, v = v] { scaled_dot_product_attention(q, k, v); });
    calls.emplace_back("attention_with_weights: an operand is undefined",
                       [q = q, k = k, v = v] { attention_with_weights(q, k, v); });
  }
  check_all(calls);
}
