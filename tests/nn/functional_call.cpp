// Modules run with other tensors in the place of their parameters, and derivatives with respect to
// parameters.
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>
#include <weft/weft.h>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }
Tensor reals(std::initializer_list<NestedList> v) { return tensor(v, kFloat64); }

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a.detach() - b.detach())).item();
}

Tensors normal_like(const Tensors& like, uint64_t seed) {
  Tensors found;
  for (const Tensor& t : like) found.push_back(normal(t.shape(), seed++));
  return found;
}

// y = s tanh(W tanh(W x + b) + c), the weight W tied, s a buffer.
class Twice : public Layer<Twice> {
 public:
  Twice()
      : first(child<Linear>("first", 3, 3, Generator(1))),
        second(child<Linear>("second", first.weight, Tensor({3}))),
        scale(buffer("scale", ones({3}))) {
    init::constant(second.bias, 0.25);
    to(kFloat64);
  }
  Tensor forward(const Tensor& x) { return scale * tanh(second(tanh(first(x)))); }

  Linear &first, &second;
  Tensor scale;
};

// The same of its parameters, written out.
Tensor twice(const Tensors& p, const Tensor& x) {
  return tanh(linear(tanh(linear(x, p[0], p[1])), p[0], p[2]));
}

Tensor concat(const Tensors& parts) {
  Tensors flat;
  for (const Tensor& t : parts) flat.push_back(reshape(t, {-1}));
  return cat(flat, 0);
}

}  // namespace

TEST_CASE("functional_call runs a module with other parameters, in order or by name") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  const Tensors moved = normal_like(model.parameters(), 2);
  const Tensor before = model(x);
  auto call = [&] { return model(x); };
  const Tensor y = functional_call(model, moved, call);
  CHECK(distance(y, twice(moved, x)) == 0);
  CHECK_FALSE(y.requires_grad());
  CHECK(distance(model(x), before) == 0);

  const Tensor some =
      functional_call(model, {{"second.bias", moved[2]}, {"scale", reals({1, 2, 3})}}, call);
  CHECK(distance(some, reals({1, 2, 3}) *
                           twice({model.first.weight, model.first.bias, moved[2]}, x)) == 0);
  CHECK(some.requires_grad());  // by way of what was not replaced
  CHECK(distance(model(x), before) == 0);
  const NamedTensors tied{{"second.weight", moved[0]}};
  CHECK(distance(functional_call(model, tied, call),
                 twice({moved[0], model.first.bias, model.second.bias}, x)) == 0);
}

TEST_CASE("gradients go to the given tensors and not to the module's own") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  Tensors given = normal_like(model.parameters(), 2), plain;
  for (Tensor& t : given) t.set_requires_grad();
  for (const Tensor& t : given) plain.push_back(t.detach().set_requires_grad());
  const Tensor y = functional_call(model, given, [&] { return model(x); });
  sum(model(x)).backward();  // in between, with the module's own
  const Numbers own = numbers(model.first.weight.grad());
  sum(y * y).backward();
  const Tensor expected = twice(plain, x);
  sum(expected * expected).backward();
  for (size_t i = 0; i < given.size(); ++i)
    CHECK(distance(given[i].grad(), plain[i].grad()) < 1e-15);
  CHECK(numbers(model.first.weight.grad()) == own);
}

TEST_CASE("a module is as it was after a call that throws, and after one inside another") {
  Twice model;
  const Tensor x = normal({2, 3}, 1), before = model(x);
  const Tensors a = normal_like(model.parameters(), 2), b = normal_like(model.parameters(), 5);
  CHECK(message_of([&] { functional_call(model, a, [&]() -> Tensor { throw Error("no"); }); }) ==
        "no");
  CHECK(distance(model(x), before) == 0);
  CHECK(model.first.weight.is_leaf());
  CHECK(model.first.weight.requires_grad());
  const Tensors both = functional_call(model, a, [&] {
    const Tensor inner = functional_call(model, b, [&] { return model(x); });
    return Tensors{inner, model(x)};
  });
  CHECK(distance(both[0], twice(b, x)) == 0);
  CHECK(distance(both[1], twice(a, x)) == 0);
  CHECK(distance(model(x), before) == 0);
}

TEST_CASE("parameters may stand in for each other, and be returned") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  const Tensors own = model.parameters(), crossed{own[0], own[2], own[1]};
  const Tensor expected = twice(crossed, x);
  CHECK(distance(functional_call(model, crossed, [&] { return model(x); }), expected) == 0);
  const Tensor given = normal({3, 3}, 7).set_requires_grad();
  auto weight = [&] { return model.second.weight; };
  const Tensor back = functional_call(model, {{"first.weight", given}}, weight);
  CHECK(numbers(back) == numbers(given));
  sum(back * back).backward();
  CHECK(distance(given.grad(), given * 2) == 0);
}

TEST_CASE("a graph that saved the module's own parameters waits for the end of the call") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  const Tensor y = sum(model(x));
  const Tensors given = normal_like(model.parameters(), 2);
  CHECK(message_of([&] {
          functional_call(model, given, [&] {
            y.backward({}, {.retain_graph = true});
            return y;
          });
        }).find("was given other data") != std::string::npos);
  y.backward();
  const Numbers late = numbers(model.first.weight.grad());
  model.zero_grad();
  sum(model(x)).backward();
  CHECK(late == numbers(model.first.weight.grad()));
}

TEST_CASE("checkpoint inside of functional_call runs again with the given tensors") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  auto gradients = [&](bool recompute, bool second) {
    Tensors given = normal_like(model.parameters(), 2);
    for (Tensor& t : given) t.set_requires_grad();
    const Tensor y = functional_call(model, given, [&] {
      auto f = [&](const Tensor& t) { return model(t); };
      return recompute ? checkpoint(f, x) : f(x);
    });
    const Tensors g = grad({sum(y * y)}, given, {.create_graph = second});
    return second ? grad({sum(pow(concat(g), 2))}, given) : g;
  };
  for (const bool second : {false, true}) {
    const Tensors stored = gradients(false, second), again = gradients(true, second);
    for (size_t i = 0; i < stored.size(); ++i) CHECK(distance(stored[i], again[i]) < 1e-13);
  }
}

TEST_CASE("functional_call says what does not fit") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  auto with = [&](const NamedTensors& tensors) {
    return message_of([&] { functional_call(model, tensors, [&] { return model(x); }); });
  };
  CHECK(message_of([&] { functional_call(model, Tensors{x}, [&] { return model(x); }); }) ==
        "functional_call: expected one tensor for each of 3 parameters; got 1");
  CHECK(with({{"first.wieght", x}}) ==
        "module: there is no parameter or buffer \"first.wieght\"; nearest: first.weight, "
        "first.bias, "
        "second.weight");
  CHECK(with({{"first.weight", x}}) ==
        "functional_call: expected \"first.weight\" to be [3, 3] float64; got [2, 3] float64");
  CHECK(with({{"scale", ones({3})}}) ==
        "functional_call: expected \"scale\" to be [3] float64; got [3] float32");
  CHECK(with({{"scale", Tensor()}}) ==
        "functional_call: expected \"scale\" to be [3] float64; got undefined");
  CHECK(with({{"first.weight", normal({3, 3}, 1)}, {"second.weight", normal({3, 3}, 1)}}) ==
        "functional_call: \"second.weight\", or what it is tied to, was given before; got two "
        "different tensors");
  const Tensor w = normal({3, 3}, 1);
  CHECK(with({{"first.weight", w}, {"second.weight", w}}).empty());
}

TEST_CASE("transforms take a module: derivatives with respect to its parameters") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  Tensors at, v = normal_like(model.parameters(), 5);
  for (const Tensor& p : model.parameters()) at.push_back(p.detach());
  auto output = [&] { return model(x); };
  auto loss = [&] { return sum(pow(model(x), 2)) + sum(pow(model.first.weight, 4)); };
  auto f_output = [&](const Tensors& p) { return twice(p, x); };
  auto f = [&](const Tensors& p) { return sum(pow(twice(p, x), 2)) + sum(pow(p[0], 4)); };
  auto squares = [](const Tensor& y) { return sum(y * y); };
  auto agree = [](const Tensors& a, const Tensors& b) {
    REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) CHECK(distance(a[i], b[i]) < 1e-13);
  };
  const Tensor dy = normal({2, 3}, 9);
  for (const bool record : {true, false}) {
    const GradMode mode(record);
    const ValueAndGrad both = value_and_grad(model, loss);
    CHECK(both.value.item() == f(at).item());
    CHECK(both.value.requires_grad() == record);
    agree(both.gradients, value_and_grad(f, at).gradients);
    agree(vjp(model, output, {dy}), vjp(f_output, at, {dy}));
    agree(jvp(model, output, v), jvp(f_output, at, v));
    agree(hvp(model, loss, v), hvp(f, at, v));
    agree(gvp(model, output, squares, v), gvp(f_output, squares, at, v));
    agree(jacobian(model, output)[0], jacobian(f_output, at)[0]);
    const auto h = hessian(model, loss), expected = hessian(f, at);
    for (size_t i = 0; i < at.size(); ++i) agree(h[i], expected[i]);
  }
  CHECK(max(abs(concat(hvp(model, loss, v)))).item() > 0.1);
  CHECK_FALSE(model.first.weight.grad().defined());
}

TEST_CASE("a penalty on the gradient by a module's parameters trains the module") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  Tensors plain;
  for (const Tensor& p : model.parameters()) plain.push_back(p.detach().set_requires_grad());
  sum(pow(concat(value_and_grad(model, [&] { return sum(model(x)); }).gradients), 2)).backward();
  const Tensors g = grad({sum(twice(plain, x))}, plain, {.create_graph = true});
  sum(pow(concat(g), 2)).backward();
  for (size_t i = 0; i < plain.size(); ++i)
    CHECK(distance(model.parameters()[i].grad(), plain[i].grad()) < 1e-13);
}

TEST_CASE("curvature of a transformer: hvp of the module against differences of its gradient") {
  const TransformerOptions options{
      .layer = {.d_model = 4, .nhead = 2, .dim_feedforward = 8, .dropout = 0},
      .num_encoder_layers = 1,
      .num_decoder_layers = 1};
  Transformer model(options, Generator(1));
  model.to(kFloat64);
  const Tensor source = normal({3, 2, 4}, 1), target = normal({2, 2, 4}, 2);
  auto loss = [&] { return sum(pow(model(source, target), 3)); };
  const Tensors v = normal_like(model.parameters(), 3);
  NoGrad no_grad;
  const Tensors found = hvp(model, loss, v);
  auto slope = [&](double step) {
    Tensors moved = model.parameters();
    for (size_t i = 0; i < v.size(); ++i) moved[i] = moved[i] + v[i] * step;
    return value_and_grad(of_parameters(model, loss), moved).gradients;
  };
  const Tensors above = slope(1e-5), below = slope(-1e-5);
  for (size_t i = 0; i < v.size(); ++i) {
    const Tensor numeric = (above[i] - below[i]) / 2e-5;
    CHECK(distance(found[i], numeric) < 1e-6 * (1 + max(abs(numeric)).item()));
  }
}

TEST_CASE("a parameter that nothing depends on is named") {
  Twice model;
  const Tensor x = normal({2, 3}, 1);
  const Tensors v = normal_like(model.parameters(), 3);
  auto first_only = [&] { return sum(model.first(x)); };
  CHECK(message_of([&] { hvp(model, first_only, v); })
            .starts_with("hvp: no output of the function depends on input 2 \"second.bias\" of "
                         "shape [3]; "));
  CHECK(numbers(hvp(model, first_only, v, {.allow_unused = true})[2]) == Numbers{0, 0, 0});
  auto held = [&](const Tensors&) { return sum(model(x)); };
  CHECK(message_of([&] {
          hvp(held, model.parameters(), v);
        }).starts_with("hvp: no output of the function depends on input 0 of shape [3, 3]; "));
}
