// Hooks on tensors: what they throw, how they go, and what a failed backward leaves behind.
#include <weft/autograd/autograd.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/inspect/intermediates.h>
#include <weft/autograd/ops.h>
#include <weft/core/allocator.h>
#include <weft/core/error.h>
#include <weft/tests/catch.h>

#include <memory>

using namespace weft;

namespace {

struct Stop : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Tensor leaf(std::initializer_list<NestedList> values) {
  return tensor(values, kFloat64).set_requires_grad();
}

}  // namespace

TEST_CASE("a hook that throws is named, and its exception is inside") {
  const Tensor x = leaf({3});
  Tensor y = named(x * 2.0, "doubled");
  y.register_hook([](const Tensor&) -> Tensor { throw Stop("enough"); });
  CHECK(message_of([&] { y.backward(); }) == "backward: a hook on mul \"doubled\" threw: enough");
  const Tensor z = y * 1.0;
  try {
    z.backward();
    FAIL("nothing was thrown");
  } catch (const Error& e) {
    CHECK_THROWS_AS(std::rethrow_if_nested(e), Stop);
  }
  y = x * 3.0;
  y.register_hook([](const Tensor&) -> Tensor { throw 42; });
  CHECK(message_of([&] { y.backward(); }) ==
        "backward: a hook on mul threw: something that is no std::exception");
}

TEST_CASE("a backward that throws changes no gradient, and the next one is right") {
  const size_t before = allocator_stats().bytes_in_use;
  {
    Tensor x = leaf({3}), w = leaf({5});
    (x * w).backward();
    HookHandle bad = x.register_hook([](const Tensor&) -> Tensor { throw Stop("no"); });
    {
      const Tensor loss = x * w + w * 10.0;
      CHECK(message_of([&] { loss.backward(); }) == "backward: a hook on leaf threw: no");
      CHECK(x.grad().item() == 5);
      CHECK(w.grad().item() == 3);  // though its own gradient had been computed
      CHECK(message_of([&] { loss.backward(); }) ==
            "backward: backward ran a second time, but the first freed what add had saved; pass "
            "retain_graph to the first");
    }
    bad.remove();
    (x * w + w * 10.0).backward();
    CHECK(x.grad().item() == 10);
    CHECK(w.grad().item() == 16);
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE("a hook on a leaf runs as soon as the leaf's gradient is complete") {
  Tensor first = leaf({2}), shared = leaf({3}), last = leaf({5}), aside = leaf({7});
  std::vector<std::string> events;
  const auto watch = [&](Tensor t, const std::string& name) {
    t.register_hook([&events, name](const Tensor&) {
      events.push_back(name);
      return Tensor();
    });
  };
  watch(first, "first");
  watch(shared, "shared");
  watch(last, "last");
  watch(aside, "aside");
  const Tensor x = first * shared, y = x * shared;
  watch(x, "x");
  watch(y, "y");
  const Tensor z = y * last * last;
  watch(z, "z");
  (z + aside).backward();
  CHECK(events == std::vector<std::string>{"aside", "z", "last", "y", "x", "first", "shared"});
  CHECK(first.grad().item() == 9 * 25);
  CHECK(shared.grad().item() == 2 * 2 * 3 * 25);
  CHECK(last.grad().item() == 2 * 18 * 5);
  CHECK(aside.grad().item() == 1);
}

TEST_CASE("a hook on a leaf runs once, also where no gradient comes to one of its users") {
  Tensor w = leaf({3});
  int calls = 0;
  w.register_hook([&](const Tensor&) {
    ++calls;
    return Tensor();
  });
  const Tensor both[] = {w * 2.0, w * 5.0};
  Tensor(both[1]).register_hook([](const Tensor& dy) { return dy * 0.0; });
  (both[0] + both[1] * w.detach()).backward();
  CHECK(calls == 1);
  CHECK(w.grad().item() == 2);
}

TEST_CASE("a handle outlives its tensor") {
  HookHandle handle;
  const auto witness = std::make_shared<int>(0);
  {
    Tensor x = leaf({1});
    handle = x.register_hook([witness](const Tensor&) { return Tensor(); });
    CHECK(witness.use_count() == 2);
  }
  CHECK(witness.use_count() == 1);
  handle.remove();
  handle.remove();
  HookHandle().remove();
}

TEST_CASE("removing a hook lets go of what it held; a hook may remove itself") {
  Tensor x = leaf({2});
  const auto witness = std::make_shared<int>(0);
  HookHandle handle;
  handle = x.register_hook([&handle, witness](const Tensor& dy) {
    handle.remove();
    return dy * 3.0;
  });
  (x * 1.0).backward();
  CHECK(x.grad().item() == 3);
  CHECK(witness.use_count() == 1);
  (x * 1.0).backward();
  CHECK(x.grad().item() == 4);
}

TEST_CASE("a leaf that stops asking for gradients keeps its gradient and hooks") {
  Tensor x = leaf({2});
  x.register_hook([](const Tensor& dy) { return dy * 10.0; });
  (x * 1.0).backward();
  x.set_requires_grad(false).set_requires_grad(false);
  CHECK_FALSE(x.requires_grad());
  CHECK_FALSE((x * 1.0).requires_grad());
  CHECK(x.grad().item() == 10);
  x.set_requires_grad().set_requires_grad();
  (x * 1.0).backward();
  CHECK(x.grad().item() == 20);
  x.set_requires_grad(false);
  x.set_grad({});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a hook must keep the dtype") {
  Tensor x = leaf({2}), y = x * 2.0;
  y.register_hook([](const Tensor& dy) { return to(dy, kFloat32); });
  CHECK(message_of([&] { y.backward(); }) ==
        "backward: a hook on mul must keep the gradient's shape [1] and dtype float64; got [1] "
        "float32");
}

TEST_CASE("backward where grad mode is off says so") {
  const std::string message =
      "backward: the output was not recorded: grad mode is off here, as under NoGrad and in hooks "
      "of a backward pass without create_graph; GradMode turns it on";
  Tensor x = leaf({1});
  {
    const NoGrad no_grad;
    CHECK(message_of([&] { (x * x).backward(); }) == message);
  }
  x.register_hook([&](const Tensor&) {
    CHECK(message_of([&] { (x * x).backward(); }) == message);
    const GradMode on(true);
    const Tensor other = leaf({3});
    CHECK(grad(other * other, other).item() == 6);
    return Tensor();
  });
  (x * x).backward();
}
