#include <weft/tests/autograd/torch_calls.h>

#include <limits>
#include <map>

namespace weft {
namespace {

using Arguments = TorchArguments;
using Calls = std::map<std::string, TorchCall>;

Tensor optional(const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); }

template <Tensor (*f)(const Tensor&)>
Tensors one(const Tensors& in, const Arguments&) {
  return {f(in[0])};
}
template <Tensor (*f)(const Tensor&, const Tensor&)>
Tensors two(const Tensors& in, const Arguments&) {
  return {f(in[0], in[1])};
}
template <Tensor (*f)(const Tensor&, const Shape&, bool)>
Tensors reduce(const Tensors& in, const Arguments& a) {
  return {f(in[0], a.shape("dim"), a.get("keepdim", false))};
}
template <Tensor (*f)(const Tensor&, int)>
Tensors along(const Tensors& in, const Arguments& a) {
  return {f(in[0], a.dim())};
}
template <Tensor (*f)(const Tensor&, const Tensor&, Reduction)>
Tensors loss(const Tensors& in, const Arguments& a) {
  return {f(in[0], in[1], a.reduction())};
}

Tensors power(const Tensors& in, const Arguments& a) {
  return {in.size() == 2 ? pow(in[0], in[1]) : pow(in[0], a.number("exponent"))};
}

Tensors clamped(const Tensors& in, const Arguments& a) {
  const double inf = std::numeric_limits<double>::infinity();
  return {clamp(in[0], a.get("min", -inf), a.get("max", inf))};
}

Tensor index_of_max(const Tensor& x, const Arguments& a) {
  return a.has("dim") ? argmax(x, a.dim(), a.get("keepdim", false)) : argmax(reshape(x, {-1}), 0);
}

// Along a dim PyTorch returns the indices too.
Tensors largest(const Tensors& in, const Arguments& a) {
  Tensors out{max(in[0], a.shape("dim"), a.get("keepdim", false))};
  if (a.has("dim")) out.push_back(index_of_max(in[0], a));
  return out;
}

Tensors smallest(const Tensors& in, const Arguments& a) {
  Tensors out{min(in[0], a.shape("dim"), a.get("keepdim", false))};
  if (a.has("dim")) out.push_back(index_of_max(-in[0], a));
  return out;
}

const Calls& elementwise() {
  static const Calls calls = {
      {"add", two<add>},
      {"sub", two<sub>},
      {"mul", two<mul>},
      {"div", two<div>},
      {"maximum", two<maximum>},
      {"minimum", two<minimum>},
      {"neg", [](const Tensors& in, const Arguments&) { return Tensors{-in[0]}; }},
      {"pow", power},
      {"eq", two<eq>},
      {"ne", two<ne>},
      {"lt", two<lt>},
      {"le", two<le>},
      {"gt", two<gt>},
      {"ge", two<ge>},
      {"logical_and", two<logical_and>},
      {"logical_or", two<logical_or>},
      {"logical_not", one<logical_not>},
      {"where",
       [](const Tensors& in, const Arguments&) { return Tensors{where(in[0], in[1], in[2])}; }},
      {"exp", one<exp>},
      {"log", one<log>},
      {"sqrt", one<sqrt>},
      {"rsqrt", one<rsqrt>},
      {"tanh", one<tanh>},
      {"abs", one<abs>},
      {"sigmoid", one<sigmoid>},
      {"relu", one<relu>},
      {"silu", one<silu>},
      {"softplus", one<softplus>},
      {"gelu",
       [](const Tensors& in, const Arguments& a) {
         const bool tanh_form = a.get<std::string>("approximate", "none") == "tanh";
         return Tensors{gelu(in[0], tanh_form ? Gelu::tanh : Gelu::exact)};
       }},
      {"clamp", clamped},
      {"glu", along<glu>},
      {"cumsum", along<cumsum>},
      {"sum", reduce<sum>},
      {"mean", reduce<mean>},
      {"min", smallest},
      {"max", largest},
      {"argmax",
       [](const Tensors& in, const Arguments& a) { return Tensors{index_of_max(in[0], a)}; }},
      {"logsumexp", reduce<logsumexp>},
      {"var",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{var(in[0], a.shape("dim"), static_cast<int>(a.integer("correction")),
                            a.get("keepdim", false))};
       }},
  };
  return calls;
}

// PyTorch's pad lists the last dim first.
Tensors padded(const Tensors& in, const Arguments& a) {
  Tensor x = in[0];
  const auto widths = a.list("pad");
  for (size_t i = 0; i + 1 < widths.size(); i += 2)
    x = pad(x, -1 - static_cast<int>(i / 2), widths[i], widths[i + 1], a.get("value", 0.0));
  return {x};
}

Tensors squeezed(const Tensors& in, const Arguments& a) {
  if (a.has("dim")) return {squeeze(in[0], a.dim())};
  Tensor x = in[0];
  for (int d = x.dim() - 1; d >= 0; --d) x = squeeze(x, d);
  return {x};
}

Tensors converted(const Tensors& in, const Arguments& a) {
  static const std::map<std::string, DType> dtypes = {
      {"float32", kFloat32}, {"float64", kFloat64}, {"int64", kInt64}};
  Tensor x = in[0];
  for (const auto& name : a.get<std::vector<std::string>>("through", {}))
    x = to(x, dtypes.at(name));
  return {x};
}

const Calls& structure() {
  static const Calls calls = {
      {"reshape", [](const Tensors& in,
                     const Arguments& a) { return Tensors{reshape(in[0], a.shape("shape"))}; }},
      {"permute", [](const Tensors& in,
                     const Arguments& a) { return Tensors{permute(in[0], a.shape("dims"))}; }},
      {"clone", one<clone>},
      {"contiguous",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{contiguous(permute(in[0], a.shape("dims")))};
       }},
      {"to", converted},
      {"sum_to", [](const Tensors& in,
                    const Arguments& a) { return Tensors{sum_to(in[0], a.shape("size"))}; }},
      {"transpose",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{transpose(in[0], static_cast<int>(a.integer("dim0")),
                                  static_cast<int>(a.integer("dim1")))};
       }},
      {"squeeze", squeezed},
      {"unsqueeze", along<unsqueeze>},
      {"expand", [](const Tensors& in,
                    const Arguments& a) { return Tensors{expand(in[0], a.shape("size"))}; }},
      {"cat", [](const Tensors& in, const Arguments& a) { return Tensors{cat(in, a.dim())}; }},
      {"stack", [](const Tensors& in, const Arguments& a) { return Tensors{stack(in, a.dim())}; }},
      {"split",
       [](const Tensors& in, const Arguments& a) {
         const auto sizes = a.list("split_size");
         return sizes.size() == 1 ? split(in[0], sizes[0], a.dim()) : split(in[0], sizes, a.dim());
       }},
      {"flip",
       [](const Tensors& in, const Arguments& a) { return Tensors{flip(in[0], a.shape("dims"))}; }},
      {"pad", padded},
      {"tril", [](const Tensors& in,
                  const Arguments& a) { return Tensors{tril(in[0], a.integer("diagonal"))}; }},
      {"triu", [](const Tensors& in,
                  const Arguments& a) { return Tensors{triu(in[0], a.integer("diagonal"))}; }},
  };
  return calls;
}

const Calls& indexing() {
  static const Calls calls = {
      {"slice",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{slice(in[0], a.dim(), a.integer("start"), a.integer("end"),
                              a.get<int64_t>("step", 1))};
       }},
      {"select",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{select(in[0], a.dim(), a.integer("index"))};
       }},
      {"index_select",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{index_select(in[0], a.dim(), in[1])};
       }},
      {"gather", [](const Tensors& in,
                    const Arguments& a) { return Tensors{gather(in[0], a.dim(), in[1])}; }},
      {"scatter_add",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{scatter_add(in[0], a.dim(), in[1], in[2])};
       }},
      {"masked_fill",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{masked_fill(in[0], in[1], a.number("value"))};
       }},
      {"embedding",
       [](const Tensors& in, const Arguments& a) {
         std::optional<int64_t> padding;
         if (a.has("padding_idx")) padding = a.integer("padding_idx");
         return Tensors{embedding(in[0], in[1], padding)};
       }},
  };
  return calls;
}

// Over the last dims together: they are flattened into one.
Tensors normalized(const Tensors& in, const Arguments& a) {
  const int64_t width = a.shape("normalized_shape").numel();
  auto flat = [](const Tensor& t) { return t.defined() ? reshape(t, {-1}) : t; };
  const Tensor y = layer_norm(reshape(in[0], {-1, width}), flat(optional(in, 1)),
                              flat(optional(in, 2)), a.get("eps", 1e-5));
  return {reshape(y, in[0].shape())};
}

Tensors residual_normalized(const Tensors& in, const Arguments& a) {
  return {residual_layer_norm(in[0], in[1], optional(in, 2), optional(in, 3),
                              {.eps = a.get("eps", 1e-5)})};
}

Tensors activated(const Tensors& in, const Arguments& a) {
  const bool gelu = a.get<std::string>("activation", "") == "gelu";
  return {
      linear_activation(in[0], in[1], optional(in, 2),
                        {.activation = gelu ? LinearActivation::gelu : LinearActivation::relu})};
}

Tensors root_normalized(const Tensors& in, const Arguments& a) {
  std::optional<double> eps;
  if (a.has("eps")) eps = a.number("eps");
  return {rms_norm(in[0], optional(in, 1), eps)};
}

// PyTorch has the classes second, weft last.
Tensors classes_second(const Tensors& in, const Arguments& a) {
  const Tensor logits = in[0].dim() > 2 ? transpose(in[0], 1, -1) : in[0];
  return {cross_entropy(logits, in[1], a.classes(optional(in, 2)))};
}

Tensors logistic(const Tensors& in, const Arguments& a) {
  if (!a.has("reduction") && in.size() > 2)  // the case `pos_weight`
    return {binary_cross_entropy_with_logits(in[0], in[1], Reduction::mean, in[2])};
  if (in.size() == 2) return {binary_cross_entropy_with_logits(in[0], in[1], a.reduction())};
  const Tensor each = binary_cross_entropy_with_logits(in[0], in[1], Reduction::none) * in[2];
  return {a.reduction() == Reduction::none  ? each
          : a.reduction() == Reduction::sum ? sum(each)
                                            : mean(each)};
}

Tensors attention(const Tensors& in, const Arguments& a) {
  AttentionOptions options{.mask = optional(in, 3),
                           .causal = a.get("is_causal", false),
                           .enable_gqa = a.get("enable_gqa", false)};
  if (a.has("scale")) options.scale = a.number("scale");
  auto heads = [](const Tensor& t) { return t.dim() == 3 ? unsqueeze(t, 1) : t; };
  const Tensor y = scaled_dot_product_attention(heads(in[0]), heads(in[1]), heads(in[2]), options);
  return {in[0].dim() == 3 ? squeeze(y, 1) : y};
}

const Calls& networks() {
  static const Calls calls = {
      {"matmul", two<matmul>},
      {"linear", [](const Tensors& in,
                    const Arguments&) { return Tensors{linear(in[0], in[1], optional(in, 2))}; }},
      {"linear_activation", activated},
      {"softmax", along<softmax>},
      {"log_softmax", along<log_softmax>},
      {"layer_norm", normalized},
      {"residual_layer_norm", residual_normalized},
      {"rms_norm", root_normalized},
      {"einsum",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{einsum(a.get<std::string>("equation", ""), in)};
       }},
      {"cross_entropy", classes_second},
      {"nll_loss",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{nll_loss(in[0], in[1], a.classes(optional(in, 2)))};
       }},
      {"linear_cross_entropy",
       [](const Tensors& in, const Arguments& a) {
         return Tensors{linear_cross_entropy(in[0], in[1], in[2], in[3], a.classes())};
       }},
      {"mse_loss", loss<mse_loss>},
      {"l1_loss", loss<l1_loss>},
      {"binary_cross_entropy_with_logits", logistic},
      {"scaled_dot_product_attention", attention},
  };
  return calls;
}

}  // namespace

TorchCall torch_call(const std::string& op) {
  for (const Calls* calls : {&elementwise(), &structure(), &indexing(), &networks()})
    if (const auto it = calls->find(op); it != calls->end()) return it->second;
  return nullptr;
}

}  // namespace weft
