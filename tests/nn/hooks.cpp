// Hooks on modules: that they fire, what they throw, and that they leave nothing behind.
#include <weft/tests/catch.h>
#include <weft/weft.h>

#include <memory>

using namespace weft;

namespace {

class Identity : public Layer<Identity> {
 public:
  Tensor forward(const Tensor& x) { return x; }
};

class Outer : public Layer<Outer> {
 public:
  Outer() : inner(child<Identity>("inner")) {}
  Tensor forward(const Tensor& x) { return inner(x) * 2.0; }
  Identity& inner;
};

TransformerEncoderLayer encoder_layer() {
  return {{.d_model = 8, .nhead = 2, .dim_feedforward = 16, .batch_first = true}, Generator(1)};
}

class List : public Layer<List> {
 public:
  Tensors forward(const Tensors& in) { return {in[0] * 2.0, in[1] * 3.0}; }
};

class Tuple : public Layer<Tuple> {
 public:
  std::tuple<Tensor, int, Tensor> forward(const Tensor& a, const Tensor& b) {
    return {a * 2.0, 7, b * 3.0};
  }
};

}  // namespace

TEST_CASE("hooks see the tensors of lists and tuples, and may replace them") {
  const Tensor x = ones({1}).set_requires_grad(), y = ones({1}).set_requires_grad();
  auto hooked = [](Module& m, std::vector<double>& gradients) {
    m.register_forward_pre_hook([](ModuleCall& call) {
      REQUIRE(call.inputs.size() == 2);
      *call.inputs[1] = *call.inputs[1] * 10.0;
    });
    m.register_forward_hook([](ModuleCall& call) { CHECK(call.outputs.size() == 2); });
    m.register_backward_hook([&](int i, const Tensor& g) {
      gradients.resize(2);
      gradients[static_cast<size_t>(i)] = g.item();
      return Tensor();
    });
  };
  List list;
  Tuple tuple;
  std::vector<double> of_list, of_tuple;
  hooked(list, of_list);
  hooked(tuple, of_tuple);
  const Tensors in{x, y}, out = list(in);
  (out[0] * out[1]).backward();
  CHECK(of_list == std::vector<double>{30, 2});
  CHECK(in[1].same_handle(y));
  const auto parts = tuple(x, y);
  (std::get<0>(parts) * std::get<2>(parts)).backward();
  CHECK(of_tuple == std::vector<double>{30, 2});
}

TEST_CASE("a backward hook on a layer that returns its input sees this call only and leaves") {
  Outer outer;
  int calls = 0;
  double seen = 0;
  outer.inner.register_backward_hook([&](int, const Tensor& gradient) {
    ++calls;
    seen = gradient.item();
    return Tensor();
  });
  Tensor x = ones({1}).set_requires_grad();
  for (int pass = 1; pass <= 3; ++pass) {
    x.set_grad({});
    (outer(x) + x * 5.0).backward();
    CHECK(calls == pass);  // once each: none stayed on the leaf
    CHECK(seen == 2);      // not 7
    CHECK(x.grad().item() == 7);
  }
  NoGrad no_grad;
  CHECK(outer.inner(x).same_handle(x));
}

TEST_CASE("a module's hook that throws is named with the module") {
  Outer outer;
  const Tensor x = ones({1}).set_requires_grad();
  HookHandle pre = outer.inner.register_forward_pre_hook(
      [](ModuleCall&) { throw std::runtime_error("before"); });
  CHECK(message_of([&] { outer(x); }) == "module \"inner\": a forward pre-hook threw: before");
  CHECK(module_path().empty());
  pre.remove();
  HookHandle post =
      outer.inner.register_forward_hook([](ModuleCall&) { throw std::runtime_error("after"); });
  CHECK(message_of([&] { outer(x); }) == "module \"inner\": a forward hook threw: after");
  post.remove();
  HookHandle odd = outer.inner.register_forward_hook([](ModuleCall&) { throw 42; });
  CHECK(message_of([&] { outer(x); }) ==
        "module \"inner\": a forward hook threw: something that is no std::exception");
  odd.remove();
  outer.inner.register_backward_hook(
      [](int, const Tensor&) -> Tensor { throw std::runtime_error("back"); });
  CHECK(message_of([&] { outer(x).backward(); }) ==
        "backward: a backward hook of module \"inner\" threw: back");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("handles are safe when the module is gone; a removed hook is silent in old graphs") {
  HookHandle pre, back;
  int calls = 0;
  Tensor y;
  const Tensor x = ones({1}).set_requires_grad();
  {
    Outer outer;
    pre = outer.register_forward_pre_hook([](ModuleCall&) {});
    back = outer.register_backward_hook([&](int, const Tensor& g) {
      ++calls;
      return g * 10.0;
    });
    y = outer(x);
  }
  y.backward({}, {.retain_graph = true});
  CHECK(calls == 1);
  CHECK(x.grad().item() == 20);
  pre.remove();
  back.remove();
  y.backward();
  CHECK(calls == 1);
  CHECK(x.grad().item() == 22);
}

TEST_CASE("hooks fire on every layer of an encoder layer, forward and backward") {
  TransformerEncoderLayer layer = encoder_layer();
  Generator gen(2);
  const Tensor x = randn({2, 3, 8}, gen);
  std::vector<std::string> forward, backward;
  for (const auto& c : layer.children()) {
    c.second->register_forward_hook(
        [&](ModuleCall& call) { forward.push_back(call.module.path()); });
    c.second->register_backward_hook([&, name = c.first](int, const Tensor&) {
      backward.push_back(name);
      return Tensor();
    });
    if (c.first == "self_attn")
      c.second->children().at(0).second->register_forward_hook(
          [&](ModuleCall& call) { forward.push_back(call.module.path()); });
  }
  sum(layer(x)).backward();
  CHECK(forward == std::vector<std::string>{"self_attn.out_proj", "self_attn", "dropout1", "norm1",
                                            "linear1", "dropout", "linear2", "dropout2", "norm2"});
  CHECK(backward == std::vector<std::string>{"norm2", "dropout2", "linear2", "dropout", "linear1",
                                             "norm1", "dropout1", "self_attn"});
}

TEST_CASE("what a fused path would skip is computed for who asks, in training and evaluation") {
  TransformerEncoderLayer layer = encoder_layer();
  layer.eval();
  Generator gen(2);
  const Tensor x = randn({2, 3, 8}, gen);
  const Tensor plain = layer(x);
  const Intermediates seen;
  CHECK(max(abs(layer(x) - plain)).item() < 1e-5);
  const Tensor a = seen["self_attn.weights"];
  CHECK(a.shape() == Shape{2, 2, 3, 3});
  CHECK(max(abs(sum(a, {-1}) - 1.0)).item() < 1e-6);
}

TEST_CASE("an anomaly deep in a Transformer is told with the path of its layer") {
  Transformer model(
      {.layer =
           {.d_model = 8, .nhead = 2, .dim_feedforward = 16, .dropout = 0, .batch_first = true},
       .num_encoder_layers = 1,
       .num_decoder_layers = 2},
      Generator(1));
  for (const NamedTensor& p : model.named_parameters())
    if (p.name == "decoder.layers.1.multihead_attn.in_proj_weight")
      init::copy(p.tensor, full(p.tensor.shape(), 1e30));
  Generator gen(2);
  const Tensor src = randn({1, 4, 8}, gen), tgt = randn({1, 3, 8}, gen);
  const DetectAnomaly anomaly;
  const std::string message = message_of([&] { model(src, tgt); });
  CHECK(message.find("scaled_dot_product_attention in decoder.layers.1.multihead_attn: the result "
                     "must be finite; got nan at [") == 0);
  CHECK(message.find("] of float32 [1, 2, 3, 4]") != std::string::npos);
  CHECK(message.find("\ncalled at:\n") != std::string::npos);
  CHECK(message.find("weft::MultiheadAttention::forward") != std::string::npos);
}

TEST_CASE("a module converted between forward and backward is an error that says so") {
  Linear layer(3, 2, Generator(1));
  const Tensor x = ones({1, 3}).set_requires_grad();
  const Tensor y = sum(layer(x)), only_bias = layer.bias + zeros({2});
  layer.to(kFloat64);
  CHECK(message_of([&] { y.backward(); }) ==
        "linear: a tensor that its backward needs was given other data, now [2, 3] float64, by "
        "set_data, to(dtype) or functional_call; run forward again after that");
  CHECK(message_of([&] { sum(only_bias).backward(); }) ==
        "add: its input 0 became [2] float64 after it ran; run forward again after to(dtype)");
  CHECK_FALSE(layer.bias.grad().defined());
}

TEST_CASE("a path is known anew after adoption") {
  struct Inner : Module {
    Inner() { CHECK(interned_path()->empty()); }
  };
  struct Holder : Module {
    Inner& inner = child<Inner>("inner");
    Holder() { CHECK(*inner.interned_path() == "inner"); }
  };
  struct Top : Module {
    Holder& holder = child<Holder>("holder");
  } top;
  CHECK(*top.holder.inner.interned_path() == "holder.inner");
  CHECK(top.holder.inner.interned_path() == top.holder.inner.interned_path());
}
