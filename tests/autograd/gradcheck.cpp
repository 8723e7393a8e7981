// The checker itself, and that no op of ops.h escapes it.
#include <weft/autograd/autograd.h>
#include <weft/autograd/check/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/tests/autograd/declared_ops.h>
#include <weft/tests/catch.h>

#include <array>
#include <cmath>
#include <map>
#include <set>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

const Op kCube{"test_cube", [](Samples& s) {
                 s.add("plain", {s.normal({3})}, [](const Tensors& in) { return pow(in[0], 3); });
               }};

// In its first value unequal to its composition: 0 / 0 where that has 1.
const Op kNan{"test_nan", [](Samples& s) {
                s.add(
                    "plain", {s.normal({3})},
                    [](const Tensors& in) {
                      return Tensors{in[0].detach() * 0 / zeros({3}, kFloat64), in[0] * 2};
                    },
                    [](const Tensors& in) {
                      return Tensors{ones({3}, in[0].dtype()), in[0] * 2};
                    });
              }};

// Unlike its compositions, but for broadcasting and in value.
const Op kNarrow{"test_narrow", [](Samples& s) {
                   const Tensor x = full({1, 2}, 1.5, kFloat64);
                   auto once = [](const Tensors& in) { return in[0] * 1.0; };
                   s.add("shape", {x}, once, [](const Tensors& in) { return squeeze(in[0], 0); });
                   s.add("detached", {x}, once, [](const Tensors& in) { return in[0].detach(); });
                 }};

// x^3 whose gradient is 3 x^2 times `error`.
template <class Error>
SampleFunction cube_with(Error error) {
  return [error](const Tensors& in) {
    const Tensor x = in[0];
    Tensor y = pow(x.detach(), 3);
    return Tensors{record(kCube, y, {x}, [x = save(x), error](Backward& b) {
      return error(b.dy() * pow(b.saved(x), 2) * 3);
    })};
  };
}

Tensors points() { return {tensor({{0.5, 1.5}, {-1, 2}}, kFloat64)}; }

// Recorded as another op and sampled with it, or without a gradient to check.
const std::map<std::string, std::string> kUnregistered = {
    {"attention_with_weights", "a composition; equal to scaled_dot_product_attention there"},
    {"masked_fill", "where; a sample there"},
    {"transpose", "permute; a sample there"},
    {"squeeze", "reshape; a sample there"},
    {"unsqueeze", "reshape; a sample there"},
    {"select", "slice; a sample there"},
    {"contiguous", "clone; a sample there"},
    {"sum_to", "sum; a sample there"},
    {"argmax", "integer result"},
    {"eq", "boolean result"},
    {"ne", "boolean result"},
    {"lt", "boolean result"},
    {"le", "boolean result"},
    {"gt", "boolean result"},
    {"ge", "boolean result"},
    {"logical_and", "boolean result"},
    {"logical_or", "boolean result"},
    {"logical_not", "boolean result"},
};

}  // namespace

TEST_CASE("the gradient check passes what is right and counts what it compared") {
  const GradcheckReport r =
      gradcheck("cube", cube_with([](const Tensor& d) { return d; }), points());
  CHECK(r.failure.empty());
  CHECK(r.gradients == std::array{4, 8, 0});  // 4 entries, then 4 of x and 4 of the cotangent
  CHECK(r.worst < 1e-8);
}

TEST_CASE("the gradient check fails on an error of 0.1 %") {
  const GradcheckReport r =
      gradcheck("cube", cube_with([](const Tensor& d) { return d * 1.001; }), points());
  CHECK_THAT(r.failure, Contains("cube: ") && Contains("input 0 at [1, 1]: analytic "));
  const GradcheckReport along =
      gradcheck("cube", cube_with([](const Tensor& d) { return d * 1.001; }), points(),
                {.directions = {2, 0}});
  CHECK_THAT(along.failure, Contains("direction"));
}

TEST_CASE("the gradient check fails on NaN and on a gradient that is missing") {
  auto nan = [](const Tensor& d) { return d * std::numeric_limits<double>::quiet_NaN(); };
  CHECK_THAT(gradcheck("cube", cube_with(nan), points(), {.order = 3}).failure,
             Contains("cube: input 0 at [0, 0]: analytic nan, numeric "));
  auto none = [](const Tensor&) { return Tensor(); };
  CHECK_FALSE(gradcheck("cube", cube_with(none), points()).failure.empty());
}

TEST_CASE("the gradient check fails on a wrong second order alone, and on a wrong third") {
  // x^3 with 3 x^2 for a gradient, in value; its derivatives are scaled.
  auto with = [](double second, double third) {
    return [second, third](const Tensors& in) {
      const Tensor x = in[0];
      return Tensors{record(kCube, pow(x.detach(), 3), {x}, [=, x = save(x)](Backward& b) {
        const Tensor u = b.saved(x), still = u.detach(), zero = u - still;
        return b.dy() * 3 * (still * still + zero * still * second + pow(zero, 2) * third);
      })};
    };
  };
  CHECK(gradcheck("cube", with(2, 1), points(), {.order = 3}).failure.empty());
  CHECK(gradcheck("cube", with(1.9, 1), points(), {.order = 1}).failure.empty());
  CHECK_THAT(gradcheck("cube", with(1.9, 1), points()).failure,
             Contains("cube: second order, input 0 at ["));
  CHECK(gradcheck("cube", with(2, 1.1), points()).failure.empty());
  CHECK_THAT(gradcheck("cube", with(2, 1.1), points(), {.order = 3}).failure,
             Contains("cube: third order, input 0 at ["));
}

TEST_CASE("the gradient check names the first order that is wrong, not the worst") {
  auto wrong = [](const Tensor& d) { return d + 1e5 * (d - d.detach()) + 1; };
  const GradcheckReport r = gradcheck("cube", cube_with(wrong), points(), {.order = 3});
  CHECK_THAT(r.failure, Contains("cube: input 0 at ["));
  CHECK(r.gradients[0] == 4);
  CHECK(r.gradients[1] == 0);
}

TEST_CASE("the gradient check fails on a gradient that changes, or minds the layout of dy") {
  int calls = 0;
  auto drift = [&](const Tensor& d) { return d * (1 + 1e-12 * ++calls); };
  CHECK_THAT(gradcheck("cube", cube_with(drift), points()).failure,
             Contains("cube: backward twice: input 0 at ["));
  auto minds = [](bool (*wrong_for)(const Tensor& dy)) {
    return [wrong_for](const Tensors& in) {
      return Tensors{record(kCube, in[0].detach() * 2, {in[0]}, [wrong_for](Backward& b) {
        return wrong_for(b.dy()) ? b.dy() * 0 : b.dy() * 2;
      })};
    };
  };
  auto gaps = [](const Tensor& dy) { return dy.strides()[1] == 2; };
  CHECK_THAT(gradcheck("double", minds(gaps), points()).failure,
             Contains("double: output gradients with gaps: input 0 at ["));
  auto stretched = [](const Tensor& dy) { return dy.strides()[0] == 0; };
  CHECK_THAT(gradcheck("double", minds(stretched), points()).failure,
             Contains("double: output gradients of one row stretched: input 0 at ["));
}

TEST_CASE("the gradient check fails on a layout of the input that gives something else") {
  auto gaps = [](const Tensors& in) {
    return Tensors{in[0].is_contiguous() ? in[0] * 2 : in[0] * 3};
  };
  CHECK_THAT(gradcheck("blind", gaps, points()).failure,
             Contains("blind: inputs with gaps: input 0 at ["));
  auto stretched = [](const Tensors& in) {
    return Tensors{in[0].strides()[0] == 0 ? in[0] * 2 : in[0] * 3};
  };
  CHECK_THAT(gradcheck("blind", stretched, points()).failure,
             Contains("blind: inputs of one row stretched: input 0 at ["));
}

TEST_CASE("the gradient check fails where a missing output gradient is not zero") {
  const auto f = [](const Tensors& in) {
    const Tensor x = in[0];
    return record_all(kCube, {x.detach() * 2, x.detach() * 3}, {x}, [](Backward& b) {
      if (!b.dy(1).defined()) return Tensors{b.dy(0) * 5};
      const Tensor first = b.dy(0).defined() ? b.dy(0) * 2 : Tensor();
      return Tensors{first.defined() ? first + b.dy(1) * 3 : b.dy(1) * 3};
    });
  };
  CHECK_THAT(gradcheck("both", f, points()).failure,
             Contains("both: without the gradient of output 1: input 0 at ["));
}

TEST_CASE("the gradient check fails where jvp is not the transpose of vjp") {
  auto half = [](const Tensor& d) { return d.detach() + (d - d.detach()) * 0.5; };
  CHECK_THAT(gradcheck("cube", cube_with(half), points(), {.order = 1}).failure,
             Contains("cube: jvp is not the transpose of vjp: "));
}

TEST_CASE("the gradient check calls inputs by their names and wants an order that it knows") {
  auto wrong = cube_with([](const Tensor& d) { return d * 2; });
  CHECK_THAT(gradcheck("cube", wrong, points(), {.names = {"edge"}}).failure,
             Contains("cube: edge at ["));
  CHECK(message_of([&] { gradcheck("cube", wrong, points(), {.order = 4}); }) ==
        "gradcheck: order must be 1, 2 or 3; got 4");
}

TEST_CASE("the gradient check takes inputs of any layout: columns, rows stretched, none at all") {
  auto f = [](const Tensors& in) { return Tensors{tanh(in[0]) * in[0]}; };
  Generator generator(1);
  const Tensor x = randn({4, 6}, generator, kFloat64);
  const Tensor inner = slice(slice(x, 0, 1, 3), 1, 2, 5);
  for (const Tensor& t : {select(x, 1, 3), transpose(inner, 0, 1), expand(select(x, 0, 3), {2, 6})})
    CHECK(gradcheck("f", f, {t}).failure.empty());
  CHECK(gradcheck("f", f, {x, Tensor(), tensor({1})}).failure.empty());
  NoGrad no_grad;
  CHECK(gradcheck("f", f, {x}).failure.empty());
}

TEST_CASE("the gradient check names the worst entry of the lowest order that fails; NaN is worst") {
  auto root = [](const Tensors& in) { return Tensors{sqrt(in[0])}; };
  CHECK(gradcheck("root", root, {tensor({1.0, -1.0}, kFloat64)}).failure ==
        "root: output 0 at [1] is nan");
  const GradcheckReport infinite = gradcheck("root", root, {tensor({1.0, 0.0, 2.0}, kFloat64)});
  CHECK_THAT(infinite.failure, Contains("root: input 0 at [1]: analytic "));
  CHECK(std::isnan(infinite.worst));
  auto kink = [](const Tensors& in) { return Tensors{relu(in[0])}; };
  CHECK_THAT(gradcheck("kink", kink, {zeros({1}, kFloat64)}).failure,
             Contains("kink: input 0 at [0]: analytic 0, numeric "));
}

TEST_CASE("the gradient check tells a function that does not repeat itself from a wrong gradient") {
  Generator generator(1);
  auto noisy = [&](const Tensors& in) {
    return Tensors{in[0] * 1.0, dropout(in[0], 0.5, generator.next_key())};
  };
  CHECK(gradcheck("noisy", noisy, points()).failure ==
        "noisy: two calls give different values of output 1; a generator is to be seeded within "
        "the function");
  int calls = 0;
  auto grows = [&](const Tensors& in) {
    return ++calls < 5 ? Tensors{in[0] * 1.0} : Tensors{in[0] * 1.0, in[0] * 2.0};
  };
  CHECK(message_of([&] { gradcheck("grows", grows, points()); }) ==
        "gradcheck: grows must return as many tensors of the same shapes at every call");
}

TEST_CASE("the gradient check refuses what leaves nothing to check") {
  auto same = [](const Tensors& in) { return in; };
  CHECK(message_of([&] {
          gradcheck("f", same, {tensor({1}), Tensor()});
        }) == "gradcheck: f has no floating input");
  CHECK(message_of([&] {
          gradcheck(
              "f", [](const Tensors& in) { return Tensors{eq(in[0], 0)}; }, points());
        }) == "gradcheck: f returns no floating tensor");
  CHECK(message_of([&] {
          gradcheck("f", same, points(), {.directions = {-1, 0}});
        }) == "gradcheck: directions must not be negative; got -1");
}

TEST_CASE("an op whose composition has another shape, or misses a gradient, fails the check") {
  const OpReport r = check_op(kNarrow);
  CHECK(r.failures ==
        std::vector<std::string>{
            "test_narrow/shape against its composition: shapes differ",
            "test_narrow/detached against its composition: gradients differ by 0.468"});
}

TEST_CASE("an op's value is compared with its composition; NaN is not equal") {
  const OpReport r = check_op(kNan);
  REQUIRE_FALSE(r.failures.empty());
  CHECK(r.failures.back() == "test_nan/plain against its composition: values differ by nan");
}

TEST_CASE("the gradient check passes an undefined input along, as a bias that is left out") {
  Tensors inputs = points();
  inputs.push_back(tensor({{1.0, 2.0}}, kFloat64));
  inputs.push_back(Tensor());
  const GradcheckReport r =
      gradcheck("linear", [](const Tensors& in) { return Tensors{linear(in[0], in[1], in[2])}; },
                inputs, {.order = 3});
  CHECK(r.failure.empty());
  CHECK(r.gradients[0] == 6);
}

TEST_CASE("the gradient check wants float64 and outputs that are there") {
  CHECK(message_of([] {
          gradcheck(
              "cube",
              [](const Tensors& in) {
                return Tensors{in[0], Tensor()};
              },
              points());
        }) == "gradcheck: output 1 of cube is undefined");
  auto narrow = [](const Tensors& in) { return Tensors{to(in[0], kFloat32)}; };
  CHECK(message_of([&] { gradcheck("cube", narrow, points()); }) ==
        "gradcheck: floating outputs must be float64; output 0 of cube is float32");
  CHECK(message_of([] {
          gradcheck("cube", cube_with([](const Tensor& d) { return d; }), {ones({2})});
        }) == "gradcheck: floating inputs must be float64; input 0 of cube is float32");
}

TEST_CASE("every op that ops.h declares is registered, with a reason for each that is not") {
  const std::set<std::string> declared = declared_ops();
  CHECK(declared.size() > 70);
  std::set<std::string> registered;
  for (const Op* op : registered_ops()) registered.insert(op->name);
  for (const std::string& name : declared) {
    INFO(name);
    CHECK(registered.count(name) + kUnregistered.count(name) == 1);
  }
  for (const auto& [name, reason] : kUnregistered) {
    INFO(name << ": " << reason);
    CHECK(declared.count(name) == 1);
  }
}
