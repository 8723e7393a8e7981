// Transforms refuse to differentiate with respect to what a function does not use.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/tests/catch.h>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }
Tensor reals(std::initializer_list<NestedList> v) { return tensor(v, kFloat64); }

}  // namespace

TEST_CASE("what a function never reaches is an error of every transform, unless allowed") {
  const Tensor x = reals({1, 2}), w = full({2, 3}, 0.5, kFloat64).set_requires_grad();
  const Tensors in{x, w}, v{ones({2}, kFloat64), ones({2, 3}, kFloat64)};
  auto f = [&](const Tensors& t) { return sum(t[0] * t[0]); };          // no w
  auto held = [&](const Tensors& t) { return sum(matmul(t[0], w)); };   // w, but not the one given
  auto rows = [](const Tensors& t) { return sum(t[0] * t[0], {-1}); };  // [N, ...] -> [N]
  const Tensors samples{reals({{1, 2}, {3, 4}}), w};
  const JacobianOptions batched{.batched = true};
  const std::string ends =
      ": no output of the function depends on input 1 of shape [2, 3]; tensors that a function "
      "holds are constants to it: for a module's parameters, pass the module or use "
      "functional_call; set allow_unused if it is meant";
  for (const bool numbers_only : {false, true}) {
    const GradMode mode(!numbers_only);
    for (const TensorFunction& g : {TensorFunction(f), TensorFunction(held)}) {
      CHECK(message_of([&] { vjp(g, in, {ones({}, kFloat64)}); }) == "vjp" + ends);
      CHECK(message_of([&] { value_and_grad(g, in); }) == "value_and_grad" + ends);
      CHECK(message_of([&] { jvp(g, in, v); }) == "jvp" + ends);
      CHECK(message_of([&] { hvp(g, in, v); }) == "hvp" + ends);
      CHECK(message_of([&] { jacobian(g, in); }) == "jacobian" + ends);
      CHECK(message_of([&] { hessian(g, in); }) == "hessian" + ends);
      CHECK(message_of([&] { gvp(g, g, in, v); }) == "gvp" + ends);
    }
    auto two = [](const Tensors& t) { return Tensors{t[0], t[1]}; };
    CHECK(message_of([&] { gvp(two, f, in, v); }) == "gvp's loss" + ends);
    CHECK(message_of([&] { hessian(rows, samples, batched); }) == "hessian" + ends);
    CHECK(message_of([&] { per_sample_grad(rows, samples); }) == "per_sample_grad" + ends);
    CHECK(message_of([&] {
            per_sample_grad(f, {x}, {w});
          }).starts_with("per_sample_grad: no output of the function depends on parameter 0"));

    const TransformOptions allow{.allow_unused = true};
    CHECK_FALSE(vjp(f, in, {ones({}, kFloat64)}, allow)[1].defined());
    CHECK(jvp(f, in, v, allow)[0].item() == 6);
    CHECK(numbers(hvp(f, in, v, allow)[1]) == Numbers(6, 0.0));
    CHECK(numbers(gvp(two, f, in, v, allow)[0]) == Numbers{2, 2});
    CHECK(numbers(gvp(two, f, in, v, allow)[1]) == Numbers(6, 0.0));
    CHECK(per_sample_grad(rows, samples, allow)[1].shape() == Shape{2, 3});
  }
}

TEST_CASE("an input that an output reaches is used, whatever its gradient") {
  const Tensor x = reals({1, 2}), y = reals({3, 4}), v = reals({1, 1});
  auto split = [](const Tensors& in) { return Tensors{in[0] * 2, in[1], in[0] * in[1]}; };
  CHECK_FALSE(vjp(split, {x, y}, {v, Tensor(), Tensor()})[1].defined());
  CHECK(numbers(jacobian(split, {x, y})[0][1]) == Numbers{0, 0, 0, 0});
  CHECK(numbers(hvp([](const Tensor& t) { return sum(t); }, x, v)) == Numbers{0, 0});
  CHECK(numbers(hessian([](const Tensor& t) { return sum(t); }, x)) == Numbers{0, 0, 0, 0});
  CHECK(numbers(jvp([](const Tensor& t) { return t; }, x, v)) == Numbers{1, 1});
  CHECK(value_and_grad([](const Tensor& t) { return sum(t); }, {zeros({0, 3})}).value.item() == 0);
}
