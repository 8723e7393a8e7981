// Modules: names, ties, state, dtype, hooks, paths.
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <weft/weft.h>
#include <cmath>

using namespace weft;

namespace {

class FeedForward : public Layer<FeedForward> {
 public:
  FeedForward(int64_t d_model, int64_t d_hidden, double dropout, Generator gen)
      : expand_(child<Linear>("linear1", d_model, d_hidden, gen)),
        drop_(child<Dropout>("dropout", dropout, gen)),
        project_(child<Linear>("linear2", d_hidden, d_model, gen)) {}

  Tensor forward(const Tensor& x) { return project_(drop_(gelu(expand_(x)))); }  // [B, T, D]

 private:
  Linear& expand_;
  Dropout& drop_;
  Linear& project_;
};

// Two layers with one weight.
class Tied : public Layer<Tied> {
 public:
  explicit Tied(Generator gen)
      : first_(child<Linear>("first", 3, 3, gen)),
        second_(child<Linear>("second", first_.weight)) {}
  Tensor forward(const Tensor& x) { return second_(first_(x)); }

 private:
  Linear& first_;
  Linear& second_;
};

// Computes in float64 whatever it is given.
class Precise : public Layer<Precise> {
 public:
  Tensor forward(const Tensor& x) { return to(exp(to(x, kFloat64)), x.dtype()); }
};

std::vector<std::string> names(const NamedTensors& tensors) {
  std::vector<std::string> found;
  for (const NamedTensor& t : tensors) found.push_back(t.name);
  return found;
}

std::vector<double> values(const Tensor& t) { return to(t.detach(), kFloat64).to_vector<double>(); }

}  // namespace

TEST_CASE("parameters have dotted names in order of registration") {
  FeedForward layer(3, 4, 0, Generator(1));
  CHECK(
      names(layer.named_parameters()) ==
      std::vector<std::string>{"linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"});
  CHECK(layer.parameters().size() == 4);
  CHECK(layer.children().size() == 3);
  CHECK(layer.children()[2].second->path() == "linear2");
}

TEST_CASE("a layer's forward may name every op, to() included") {
  Precise layer;
  const Tensor x = tensor({0.0, 1.0}).set_requires_grad();
  const Tensor y = layer(x);
  CHECK(y.dtype() == kFloat32);
  CHECK(values(y) == values(exp(x)));
  sum(y).backward();
  CHECK(values(x.grad()) == values(exp(x)));
  layer.to(kFloat64);
}

TEST_CASE("a layer of the user's own passes check_module in one line") {
  Generator gen(2);
  const auto report = check_module([] { return FeedForward(3, 4, 0.2, Generator(1)); },
                                   {randn({2, 2, 3}, gen, kFloat64)});
  CHECK(report.failures.empty());
  CHECK(report.gradients[0] + report.gradients[1] > 40);
}

TEST_CASE("names are unique, not empty and without dots") {
  struct Bad : Module {
    Bad(const std::string& a, const std::string& b) {
      parameter(a, ones({1}));
      child<Linear>(b, ones({1, 1}));
    }
  };
  CHECK(message_of([] { Bad("x", "x"); }) ==
        "module: the name \"x\" is taken by a parameter or buffer");
  CHECK(message_of([] { Bad("x.y", "z"); }) ==
        "module: a name must not be empty or hold a dot; got \"x.y\"");
  CHECK(message_of([] { Bad("", "z"); }) ==
        "module: a name must not be empty or hold a dot; got \"\"");
}

TEST_CASE("train and eval reach every module below") {
  Sequential chain;
  chain.add<FeedForward>(3, 4, 0, Generator(1)).add<LayerNorm>(3);
  CHECK(chain.training());
  chain.eval();
  for (const auto& c : chain.children()) {
    CHECK_FALSE(c.second->training());
    for (const auto& below : c.second->children()) CHECK_FALSE(below.second->training());
  }
}

TEST_CASE("to(dtype) converts handles, ties and gradients in place") {
  Tied layer(Generator(1));
  sum(layer(ones({2, 3}))).backward();
  const Tensor weight = layer.named_parameters()[0].tensor;
  const auto before = values(weight), gradient = values(weight.grad());
  layer.to(kFloat64);
  CHECK(weight.dtype() == kFloat64);
  CHECK(values(weight) == before);
  CHECK(values(weight.grad()) == gradient);
  CHECK(layer.parameters().size() == 2);
  layer.zero_grad();
  CHECK_FALSE(weight.grad().defined());
  sum(layer(ones({2, 3}, kFloat64))).backward();
  CHECK(weight.grad().dtype() == kFloat64);
}

TEST_CASE("a frozen module learns nothing, and thaws") {
  FeedForward layer(3, 4, 0, Generator(1));
  layer.set_requires_grad(false);
  CHECK_FALSE(layer(ones({1, 3})).requires_grad());
  CHECK(layer.named_parameters().size() == 4);
  layer.set_requires_grad();
  CHECK(layer(ones({1, 3})).requires_grad());
}

TEST_CASE("a state dict goes to another module") {
  FeedForward a(3, 4, 0, Generator(1)), b(3, 4, 0, Generator(2));
  const Tensor x = ones({2, 3});
  CHECK(values(a(x)) != values(b(x)));
  b.load_state_dict(a.state_dict());
  CHECK(values(a(x)) == values(b(x)));
}

TEST_CASE("a tied weight is stored once and loads under either name") {
  Tied layer(Generator(1));
  CHECK(names(layer.state_dict()) == std::vector<std::string>{"first.weight", "first.bias"});
  const Tensor sevens = full({3, 3}, 7), ones_bias = ones({3});
  for (const char* name : {"first.weight", "second.weight"}) {
    layer.load_state_dict({{name, sevens}, {"first.bias", ones_bias}});
    CHECK(values(layer(ones({1, 3}))) == std::vector<double>{462, 462, 462});  // 21 * 22
    layer.load_state_dict({{"first.weight", zeros({3, 3})}}, false);
  }
  CHECK(message_of([&] {
          layer.load_state_dict({{"first.weight", sevens},
                                 {"second.weight", zeros({3, 3})},
                                 {"first.bias", ones_bias}});
        }) ==
        "load_state_dict: the state does not fit the module; tied but different: first.weight, "
        "second.weight");
}

TEST_CASE("loading lists every fault and changes nothing") {
  FeedForward layer(3, 4, 0, Generator(1));
  const auto before = values(layer.parameters()[0]);
  const NamedTensors bad = {{"linear1.weight", ones({4, 3})},
                            {"linear1.bias", ones({5})},
                            {"linear2.bias", ones({3}, kInt64)},
                            {"linear3.bias", ones({3})}};
  CHECK(message_of([&] { layer.load_state_dict(bad); }) ==
        "load_state_dict: the state does not fit the module; missing: linear2.weight; unexpected: "
        "linear3.bias; wrong dtype: linear2.bias int64 instead of float32; wrong shape: "
        "linear1.bias [5] instead of [4]");
  CHECK(values(layer.parameters()[0]) == before);
  NamedTensors twice = layer.state_dict(), undefined = twice;
  twice.push_back({"linear2.bias", ones({3})});
  undefined[1].tensor = Tensor();
  CHECK(message_of([&] { layer.load_state_dict(twice); }) ==
        "load_state_dict: there are two tensors called \"linear2.bias\"");
  CHECK(message_of([&] { layer.load_state_dict(undefined); }) ==
        "load_state_dict: the tensor \"linear1.bias\" is undefined");
  CHECK(values(layer.parameters()[0]) == before);
  layer.load_state_dict({{"linear1.bias", full({4}, 2)}, {"other", ones({1})}}, false);
  CHECK(values(layer.parameters()[1]) == std::vector<double>(4, 2));
}

TEST_CASE("float64 weights do not go into a float32 module unasked, float32 ones into any") {
  Linear a(2, 1, Generator(1)), b(2, 1, Generator(2));
  const std::vector<double> before = values(a.weight);
  NamedTensors exact = b.state_dict();
  exact[0].tensor = tensor({{1.0 / 3, 2.0 / 3}}, kFloat64);
  CHECK(message_of([&] { a.load_state_dict(exact); }) ==
        "load_state_dict: the state does not fit the module; float64 for float32 (it would be "
        "rounded; to(kFloat64) on the module keeps it): weight");
  CHECK(values(a.weight) == before);
  a.to(kFloat64);
  a.load_state_dict(exact);
  CHECK(a.weight.to_vector<double>() == std::vector<double>{1.0 / 3, 2.0 / 3});
  a.load_state_dict(b.state_dict());
  CHECK(values(a.weight) == values(b.weight));
}

TEST_CASE("modules and parameters are found by name, and near names are told") {
  Transformer model({.layer = {.d_model = 4, .nhead = 2, .dim_feedforward = 4},
                     .num_encoder_layers = 2,
                     .num_decoder_layers = 1},
                    Generator(1));
  Module& layer = model.find_module("encoder.layers.1");
  CHECK(layer.path() == "encoder.layers.1");
  CHECK(&model.find_module("") == &model);
  CHECK(layer.find("linear1.bias").same_handle(model.find("encoder.layers.1.linear1.bias")));
  auto& attention = model.find_module<MultiheadAttention>("decoder.layers.0.multihead_attn");
  CHECK(attention.in_proj_weight.same_handle(
      model.find("decoder.layers.0.multihead_attn.in_proj_weight")));
  CHECK(message_of([&] { model.find_module("encoder.layer.1"); }) ==
        "module: there is no module \"encoder.layer.1\"; nearest: encoder.layers.1, "
        "encoder.layers, encoder.layers.0");
  CHECK(message_of([&] { model.find("multihead_attn.in_proj_bias"); }) ==
        "module: there is no parameter or buffer \"multihead_attn.in_proj_bias\"; nearest: "
        "decoder.layers.0.multihead_attn.in_proj_bias, encoder.layers.0.self_attn.in_proj_bias, "
        "encoder.layers.1.self_attn.in_proj_bias");
  CHECK(message_of([&] { model.find_module<Linear>("encoder"); }) ==
        "module: expected \"encoder\" to be a weft::Linear; got a weft::TransformerEncoder");
  CHECK(message_of([&] { model.find_module("encoder."); }) != "");
}

TEST_CASE("a part is loaded from a file of the whole, by the prefix of its names") {
  const TempDir dir;
  const std::string path = (dir / "whole.safetensors").string();
  FeedForward whole(3, 4, 0, Generator(1));
  save_safetensors(path, whole.state_dict());
  Linear part(3, 4, Generator(2));
  part.load_state_dict(load_safetensors(path, "linear1.").tensors);
  CHECK(values(part.weight) == values(whole.find("linear1.weight")));
  CHECK(message_of([&] { load_safetensors(path, "linaer1."); }) ==
        "load_safetensors: " + path +
            ": no tensor's name begins with \"linaer1.\"; nearest: linear1.bias, linear2.bias, "
            "linear1.weight");
}

TEST_CASE("hooks see and replace inputs, outputs and gradients") {
  FeedForward layer(2, 2, 0, Generator(1));
  const Tensor x = Tensor(ones({1, 2})).set_requires_grad();
  std::string path;
  HookHandle pre = layer.register_forward_pre_hook(
      [](ModuleCall& call) { *call.inputs.at(0) = *call.inputs.at(0) * 0; });
  HookHandle post = layer.register_forward_hook([&](ModuleCall& call) {
    path = module_path();
    *call.outputs.at(0) = *call.outputs.at(0) * 0 + *call.inputs.at(0) + 5;
  });
  CHECK(values(layer(x)) == std::vector<double>{5, 5});
  CHECK(path.empty());
  pre.remove();
  CHECK(values(layer(x)) == std::vector<double>{6, 6});
  HookHandle back = layer.register_backward_hook(
      [](int index, const Tensor& gradient) { return gradient * (index + 3); });
  sum(layer(x)).backward();
  CHECK(values(x.grad()) == std::vector<double>{3, 3});
  const Tensor y = layer(x);
  back.remove();
  sum(y).backward();
  CHECK(values(x.grad()) == std::vector<double>{4, 4});
  CHECK(layer.has_hooks());
  post.remove();
  CHECK_FALSE(layer.has_hooks());
}

TEST_CASE("the module path is known inside forward") {
  std::string inside;
  Sequential outer;
  outer.add<Activation>([&](const Tensor& x) {
    inside = module_path();
    return x;
  });
  outer(ones({1}));
  CHECK(inside == "0");
  CHECK(module_path().empty());
}

TEST_CASE("a module list names its layers by number") {
  struct Stack : Module {
    ModuleList<LayerNorm>& layers = child<ModuleList<LayerNorm>>("layers");
  } stack;
  stack.layers.add(2);
  stack.layers.add(2, 1e-3, false);
  CHECK(names(stack.named_parameters()) ==
        std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight"});
  CHECK(stack.layers[1].path() == "layers.1");
}

TEST_CASE("initializers with an upper bound stay below it") {
  Generator g(1);
  const double next = static_cast<double>(std::nextafter(1.0f, 2.0f));
  const Tensor t = zeros({100});
  init::uniform(t, 1, next, g);
  for (float x : t.to_vector<float>()) REQUIRE(x == 1);
  g.set_state(1, 19351156);  // where a float32 number in [0, 1) would be rounded to 1
  const Tensor one = zeros({1, 1});
  init::xavier_uniform(one, g);
  CHECK(one.item<float>() < static_cast<float>(std::sqrt(3.0)));
}

TEST_CASE("the version is told in numbers and in text") {
  CHECK(WEFT_VERSION == std::to_string(WEFT_VERSION_MAJOR) + "." +
                            std::to_string(WEFT_VERSION_MINOR) + "." +
                            std::to_string(WEFT_VERSION_PATCH));
}
