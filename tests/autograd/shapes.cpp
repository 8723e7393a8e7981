// Every op on the shapes that are easily forgotten: one element, nothing, the largest rank. The op
// files sample the rest.
#include <weft/autograd/check/check_op.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <map>
#include <set>

using namespace weft;

namespace {

// Calls on two tensors of one shape, positive and nowhere equal; where an op takes a dim, the last.
using Calls = std::map<std::string, SampleFunction>;

template <Tensor (*f)(const Tensor&)>
Tensors one(const Tensors& in) {
  return {f(in[0])};
}
template <Tensor (*f)(const Tensor&, const Tensor&)>
Tensors two(const Tensors& in) {
  return {f(in[0], in[1])};
}
template <Tensor (*f)(const Tensor&, const Shape&, bool)>
Tensors reduce(const Tensors& in) {
  return {f(in[0], {-1}, false)};
}
template <Tensor (*f)(const Tensor&, int)>
Tensors along(const Tensors& in) {
  return {f(in[0], -1)};
}
template <Tensor (*f)(const Tensor&, const Tensor&, Reduction)>
Tensors loss(const Tensors& in) {
  return {f(in[0], in[1], Reduction::sum)};
}

// The last element of the last dim, once for every index.
Tensor last_index(const Tensor& x) {
  return full(x.shape(), static_cast<double>(x.size(-1) - 1), kInt64);
}
Tensor indices(const Tensor& x) { return full({2}, static_cast<double>(x.size(-1) - 1), kInt64); }
Tensor classes(const Tensor& x) {
  Shape rows = x.shape();
  rows.erase(rows.rank() - 1);
  return zeros(rows, kInt64);
}
Tensor matrix(const Tensor& x) { return reshape(x, {-1, x.size(-1)}); }
Tensor row(const Tensor& x) {
  return x.numel() ? reshape(slice(matrix(x), 0, 0, 1), {-1}) : Tensor();
}
Shape reversed(const Tensor& x) {
  Shape dims;
  for (int d = x.dim() - 1; d >= 0; --d) dims.push_back(d);
  return dims;
}

const Calls kElementwise = {
    {"abs", one<abs>},
    {"add", two<add>},
    {"clamp", [](const Tensors& in) { return Tensors{clamp(in[0], 0.5, 1.2)}; }},
    {"clone", [](const Tensors& in) { return Tensors{clone(in[0])}; }},
    {"div", two<div>},
    {"dropout",
     [](const Tensors& in) {
       return Tensors{dropout(in[0], 0.4, {1, 0})};
     }},
    {"exp", one<exp>},
    {"gelu",
     [](const Tensors& in) {
       return Tensors{gelu(in[0]), gelu(in[0], Gelu::tanh)};
     }},
    {"log", one<log>},
    {"maximum", two<maximum>},
    {"minimum", two<minimum>},
    {"mul", two<mul>},
    {"pow", two<pow>},
    {"relu", one<relu>},
    {"rsqrt", one<rsqrt>},
    {"sigmoid", one<sigmoid>},
    {"silu", one<silu>},
    {"softplus", one<softplus>},
    {"sqrt", one<sqrt>},
    {"sub", two<sub>},
    {"tanh", one<tanh>},
    {"to", [](const Tensors& in) { return Tensors{to(in[0], kFloat64) * 2}; }},
    {"where", [](const Tensors& in) { return Tensors{where(gt(in[0], 1), in[0], in[1])}; }},
    {"mse_loss", loss<mse_loss>},
    {"l1_loss", loss<l1_loss>},
    {"binary_cross_entropy_with_logits",
     [](const Tensors& in) {
       return Tensors{binary_cross_entropy_with_logits(in[0], in[1], Reduction::sum)};
     }},
};

const Calls kAlongDims = {
    {"cumsum", along<cumsum>},
    {"flip",
     [](const Tensors& in) {
       return Tensors{flip(in[0], {0, -1})};
     }},
    {"logsumexp", reduce<logsumexp>},
    {"log_softmax", along<log_softmax>},
    {"max", reduce<max>},
    {"mean", reduce<mean>},
    {"min", reduce<min>},
    {"softmax", along<softmax>},
    {"sum", reduce<sum>},
    {"var", [](const Tensors& in) { return Tensors{var(in[0], {-1}, 0)}; }},
    {"layer_norm",
     [](const Tensors& in) { return Tensors{layer_norm(in[0], row(in[1]), {}, 0.1)}; }},
    {"residual_layer_norm",
     [](const Tensors& in) {
       return Tensors{residual_layer_norm(in[0], in[1], row(in[1]), {}, {.eps = 0.1})};
     }},
    {"rms_norm", [](const Tensors& in) { return Tensors{rms_norm(in[0], row(in[1]), 0.1)}; }},
    {"glu",
     [](const Tensors& in) {
       return Tensors{glu(cat({in[0], in[1]}, -1), -1)};
     }},
    {"linear", [](const Tensors& in) { return Tensors{linear(in[0], matrix(in[1]))}; }},
    {"linear_activation",
     [](const Tensors& in) {
       return Tensors{
           linear_activation(in[0], matrix(in[1]), {}, {.activation = LinearActivation::gelu})};
     }},
    {"matmul",
     [](const Tensors& in) { return Tensors{matmul(in[0], transpose(matrix(in[1]), 0, 1))}; }},
    {"cross_entropy",
     [](const Tensors& in) {
       return Tensors{cross_entropy(in[0], classes(in[0]), {.reduction = Reduction::sum})};
     }},
    {"nll_loss",
     [](const Tensors& in) {
       const Tensor x = matrix(in[0]);
       return Tensors{nll_loss(x, classes(x), {.reduction = Reduction::sum})};
     }},
    {"linear_cross_entropy",
     [](const Tensors& in) {
       return Tensors{linear_cross_entropy(in[0], matrix(in[1]), {}, classes(in[0]),
                                           {.reduction = Reduction::sum})};
     }},
};

const Calls kMovers = {
    {"cat",
     [](const Tensors& in) {
       return Tensors{cat({in[0], in[1]}, -1)};
     }},
    {"expand", [](const Tensors& in) { return Tensors{expand(in[0], in[0].shape())}; }},
    {"gather", [](const Tensors& in) { return Tensors{gather(in[0], -1, last_index(in[0]))}; }},
    {"index_select",
     [](const Tensors& in) { return Tensors{index_select(in[0], -1, indices(in[0]))}; }},
    {"pad", [](const Tensors& in) { return Tensors{pad(in[0], -1, 1, 2, 0.5)}; }},
    {"permute", [](const Tensors& in) { return Tensors{permute(in[0], reversed(in[0]))}; }},
    {"reshape", [](const Tensors& in) { return Tensors{reshape(in[0], {in[0].numel()})}; }},
    {"scatter_add",
     [](const Tensors& in) { return Tensors{scatter_add(in[0], -1, last_index(in[0]), in[1])}; }},
    {"slice", [](const Tensors& in) { return Tensors{slice(in[0], -1, 0, 2, 2)}; }},
    {"split", [](const Tensors& in) { return split(in[0], 1, -1); }},
    {"stack",
     [](const Tensors& in) {
       return Tensors{stack({matrix(in[0]), matrix(in[1])}, -1)};
     }},
    {"tril", [](const Tensors& in) { return Tensors{tril(in[0])}; }},
    {"triu", [](const Tensors& in) { return Tensors{triu(in[0])}; }},
};

// Ops whose operands have ranks of their own; their samples have sizes of 1 and 0.
const std::map<std::string, std::string> kOwnRanks = {
    {"checkpoint", "as what it calls"},
    {"einsum", "ranks are those of its equation"},
    {"embedding", "the weight has rank 2"},
    {"scaled_dot_product_attention", "rank 4"},
};

const std::vector<Shape> kShapes = {{1, 1}, {0, 2}, {1, 2, 1, 1, 2, 1, 1, 2}};

}  // namespace

TEST_CASE("every op on one element, nothing, and the largest rank") {
  Generator generator(1);
  std::set<std::string> called;
  for (const Calls& calls : {kElementwise, kAlongDims, kMovers})
    for (const auto& [name, f] : calls) {
      called.insert(name);
      for (const Shape& shape : kShapes) {
        const Tensor x = rand(shape, generator, kFloat64) * 1.5 + 0.3,
                     y = rand(shape, generator, kFloat64) * 1.5 + 0.3;
        CHECK(gradcheck(name + " of shape " + to_string(shape), f, {x, y}).failure.empty());
      }
    }
  for (const Op* op : registered_ops()) {
    const std::string name = op->name;
    if (name.rfind("test_", 0) == 0) continue;
    INFO(name);
    CHECK(called.count(name) + kOwnRanks.count(name) == 1);
  }
}
