// Ops of a user's own: the registry, and what record_fused does with a composition.
#include <weft/autograd/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <algorithm>

using namespace weft;

namespace {

int fast_calls = 0, composition_calls = 0;

Tensor product(const Tensor& x, const Tensor& y);

const Op kProduct{"test_product", [](Samples& s) {
                    s.add("plain", {s.normal({3}), s.normal({3})},
                          [](const Tensors& in) { return product(in[0], in[1]); });
                  }};

// x y exp(x), whose fast gradient is wrong if `spoilt`.
bool spoilt = false;
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
  return record_fused(kProduct, value, {x, y}, composition, [](Backward& b, const Tensors& in) {
    ++fast_calls;
    const Tensor e = exp(in[0]) * b.dy();
    return Tensors{in[1] * e * (in[0] + (spoilt ? 1.001 : 1)), in[0] * e};
  });
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
  spoilt = true;
  const OpReport report = check_op(kProduct);
  spoilt = false;
  REQUIRE_FALSE(report.failures.empty());
  CHECK(report.failures[0].find("test_product/plain: input 0 at [") == 0);
}

TEST_CASE("an op that hands record() what it must not, or asks for what there is not, is named") {
  const Tensor x = ones({2}).set_requires_grad();
  auto with = [&](const Tensor& y, auto vjp) { return record(kProduct, y, {x}, vjp); };
  auto pass = [](Backward& b) { return b.dy(); };
  CHECK(message_of([&] { with(Tensor(), pass); }) ==
        "test_product: a result to be recorded must be defined");
  CHECK(message_of([&] { with(x, pass); }) ==
        "test_product: a result to be recorded must not be an input itself; detach() makes another "
        "handle");
  CHECK(x.is_leaf());
  CHECK(with(x.detach(), pass).requires_grad());
  CHECK(message_of([&] { sum(with(x * 1.0, [](Backward& b) { return b.dy(1); })).backward(); }) ==
        "test_product: its vjp asks for output 1 of 1");
  CHECK(
      message_of([&] {
        sum(with(x * 1.0, [](Backward& b) { return b.needs(-1) ? b.dy() : Tensor(); })).backward();
      }) == "test_product: its vjp asks for input -1 of 1");
}
