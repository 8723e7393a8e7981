// Ops of a user's own: the registry, and a fused op with its composition.
#include <weft/autograd/check/check_op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/error.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

using namespace weft;

namespace {

int fast_calls = 0, composition_calls = 0;

Tensor product(const Tensor& x, const Tensor& y);

const Op kProduct{"test_product", [](Samples& s) {
                    s.add("plain", {s.normal({3}), s.normal({3})},
                          [](const Tensors& in) { return product(in[0], in[1]); });
                  }};

// x y exp(x), whose fast gradient is wrong if `wrong_slope`.
bool wrong_slope = false;
Tensor product(const Tensor& x, const Tensor& y) {
  auto composition = [](const Tensors& in) {
    ++composition_calls;
    return in[0] * in[1] * exp(in[0]);
  };
  Tensor value;
  {
    NoGrad no_grad;
    value = x * y * exp(x);
  }
  return record(kProduct, value, {x, y}, [=, x = save(x), y = save(y)](Backward& b) {
    const Tensors in{b.saved(x), b.saved(y)};
    if (b.first_order()) {
      ++fast_calls;
      const Tensor e = exp(in[0]) * b.dy();
      return Tensors{in[1] * e * (in[0] + (wrong_slope ? 1.001 : 1)), in[0] * e};
    }
    return vjp(composition, in, {b.dy()});
  });
}

// 2 x, with a vjp that goes wrong in one way.
enum class Fault { none, captures, throws, undefined_result };
Fault fault = Fault::none;
std::vector<std::shared_ptr<Tensor>> captured;  // to let go of at the end
Tensor twice(const Tensor& x);

const Op kTwice{"test_twice", [](Samples& s) {
                  s.add("plain", {s.normal({3})}, [](const Tensors& in) { return twice(in[0]); });
                }};

Tensor twice(const Tensor& x) {
  const Tensor y = x.detach() * 2;
  if (fault == Fault::undefined_result)
    return record(kTwice, Tensor(), {x}, [](Backward& b) { return b.dy() * 2; });
  if (fault == Fault::captures) {
    captured.push_back(std::make_shared<Tensor>(y));
    return record(kTwice, y, {x},
                  [y = captured.back()](Backward& b) { return b.dy() * 2 + y->detach() * 0; });
  }
  return record(kTwice, y, {x}, [](Backward& b) {
    if (fault == Fault::throws) throw std::runtime_error("no luck");
    return b.dy() * 2;
  });
}

std::vector<std::string> failures_of_twice(Fault f) {
  fault = f;
  std::vector<std::string> failures = check_op(kTwice).failures;
  fault = Fault::none;
  for (const auto& y : std::exchange(captured, {})) *y = Tensor();
  return failures;
}

}  // namespace

TEST_CASE("an op of one's own is registered, once") {
  const auto ops = registered_ops();
  CHECK(std::count(ops.begin(), ops.end(), &kProduct) == 1);
  CHECK(message_of([] { Op("test_product", [](Samples&) {}); }) ==
        "op: there is one named test_product already");
  CHECK(registered_ops().size() == ops.size());
}

TEST_CASE("a fused op is fast once, and its composition where more is asked for") {
  Generator generator(1);
  const Tensor x = randn({3}, generator, kFloat64).set_requires_grad(),
               y = randn({3}, generator, kFloat64).set_requires_grad();
  fast_calls = composition_calls = 0;
  const Tensor once = grad(sum(product(x, y)), x);
  CHECK(fast_calls == 1);
  CHECK(composition_calls == 0);
  const Tensor slope = grad(sum(product(x, y)), x, {.create_graph = true});
  CHECK(fast_calls == 1);
  CHECK(composition_calls == 1);
  CHECK(max(abs(once - slope)).item() < 1e-15);
  const Tensor second = grad(sum(slope), x);  // y e^x (x + 2)
  CHECK(max(abs(second - y * exp(x) * (x + 2))).item() < 1e-14);
  NoGrad no_grad;
  CHECK_FALSE(product(x, y).requires_grad());
}

TEST_CASE("check_op sees a fast gradient that is not that of the composition") {
  CHECK(check_op(kProduct).failures.empty());
  wrong_slope = true;
  const OpReport report = check_op(kProduct);
  wrong_slope = false;
  REQUIRE_FALSE(report.failures.empty());
  CHECK(report.failures[0].find("test_product/plain: input 0 at [") == 0);
}

TEST_CASE("what a vjp throws is told with its op, once") {
  const Tensor x = ones({2}).set_requires_grad();
  fault = Fault::throws;
  const Tensor y = sum(twice(x));
  try {
    y.backward();
    FAIL("nothing was thrown");
  } catch (const Error& e) {
    CHECK(e.what() == std::string("test_twice: its vjp threw: no luck"));
    CHECK_THROWS_AS(std::rethrow_if_nested(e), std::runtime_error);
  }
  fault = Fault::none;
  CHECK_FALSE(x.grad().defined());
  const Tensor square = sum(x * x);
  Tensor(x.detach()).mutable_data<float>("me")[0] = 2;
  CHECK(message_of([&] { square.backward(); }).find("mul: a tensor of shape [2] ") == 0);
}

TEST_CASE("an op without a result is told by its name") {
  fault = Fault::undefined_result;
  const std::string message = message_of([] { twice(ones({2}).set_requires_grad()); });
  fault = Fault::none;
  CHECK(message == "test_twice: its result 0 is undefined");
}

TEST_CASE("an op whose result is its input is told so, and the input stays a leaf") {
  const Tensor x = ones({2}).set_requires_grad();
  CHECK(message_of([&] { record(kTwice, x, {x}, [](Backward& b) { return b.dy() * -1; }); }) ==
        "test_twice: its result must be a tensor of its own; got an input; detach() gives another "
        "handle");
  CHECK(x.is_leaf());
  sum(record(kTwice, x.detach(), {x}, [](Backward& b) { return b.dy() * -1; })).backward();
  CHECK(x.grad().at({0}) == -1);
}

TEST_CASE("check_op lists a vjp that throws, and one that captures its result") {
  CHECK(failures_of_twice(Fault::none).empty());
  CHECK(failures_of_twice(Fault::throws) ==
        std::vector<std::string>{"test_twice/plain: test_twice: its vjp threw: no luck"});
  CHECK(failures_of_twice(Fault::undefined_result) ==
        std::vector<std::string>{"test_twice/plain: test_twice: its result 0 is undefined"});
  CHECK(
      failures_of_twice(Fault::captures) ==
      std::vector<std::string>{"test_twice/plain: its graph outlives its results; a vjp must keep "
                               "tensors by save() and save_output(), not capture them"});
}

TEST_CASE("a vjp that asks for what there is not is told so") {
  const Tensor x = ones({2}).set_requires_grad();
  auto with = [&](auto vjp) { return sum(record(kTwice, x.detach() * 2, {x}, vjp)); };
  CHECK(message_of([&] { with([](Backward& b) { return b.dy(1); }).backward(); }) ==
        "test_twice: its vjp asks for output 1 of 1");
  CHECK(message_of([&] {
          with([](Backward& b) { return b.needs(-1) ? b.dy() : Tensor(); }).backward();
        }) == "test_twice: its vjp asks for input -1 of 1");
}
