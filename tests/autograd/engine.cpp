// Backward and grad: what accumulates where, what is kept and freed, and what is an error.
#include <weft/autograd/autograd.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/allocator.h>
#include <weft/tests/catch.h>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

// An op of a user's. Tests record it with vjps of their own, wrong ones too.
const Op kSquare{"test_square", [](Samples& s) {
                   s.add("plain", {s.normal({3})}, [](const Tensors& in) {
                     Tensor y = in[0].detach() * in[0].detach();
                     return record(kSquare, y, {in[0]}, [x = save(in[0])](Backward& b) {
                       return b.dy() * b.saved(x) * 2;
                     });
                   });
                 }};

template <class Vjp>
Tensor square_with(const Tensor& x, Vjp vjp) {
  Tensor y = x.detach() * x.detach();
  return record(kSquare, y, {x}, vjp);
}

Tensor leaf(std::initializer_list<NestedList> values) {
  return tensor(values, kFloat64).set_requires_grad();
}

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

void scale_in_place(Tensor t, double by) {
  double* p = t.mutable_data<double>("scale_in_place");
  for (int64_t i = 0; i < t.numel(); ++i) p[i] *= by;
}

}  // namespace

TEST_CASE("backward accumulates into the leaves") {
  Tensor x = leaf({1, 2, 3});
  CHECK_FALSE(x.grad().defined());
  sum(x * x).backward();
  CHECK(numbers(x.grad()) == Numbers{2, 4, 6});
  sum(x * 10.0).backward();
  CHECK(numbers(x.grad()) == Numbers{12, 14, 16});
  x.set_grad({});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a tensor used several times gets the sum of its gradients") {
  const Tensor x = leaf({2, 3});
  sum(x * x * x + x).backward();
  CHECK(numbers(x.grad()) == Numbers{13, 28});
}

TEST_CASE("a fan of ten thousand uses") {
  const Tensor x = leaf({1});
  Tensor total = zeros({1}, kFloat64);
  for (int i = 0; i < 10000; ++i) total = total + x * static_cast<double>(i);
  total.backward();
  CHECK(x.grad().item() == 49995000);
}

TEST_CASE("a graph runs backward twice only if it was retained") {
  const Tensor x = leaf({3}), y = x * x;
  y.backward({}, {.retain_graph = true});
  y.backward();
  CHECK(x.grad().item() == 12);
  CHECK(message_of([&] { y.backward(); }) ==
        "backward: backward ran a second time, but the first freed what mul had saved; pass "
        "retain_graph to the first");
  const Tensor z = x * x;
  grad(z, x);
  CHECK(message_of([&] { grad(z, x); }) ==
        "grad: backward ran a second time, but the first freed what mul had saved; pass "
        "retain_graph to the first");
}

TEST_CASE("backward from more than one element needs a gradient of its shape and dtype") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 3.0;
  CHECK(message_of([&] { y.backward(); }) ==
        "backward: an output with more than one element needs a gradient; got shape [2]");
  CHECK(message_of([&] { y.backward(ones({3}, kFloat64)); }) ==
        "backward: the gradient must have the output's shape and dtype; got [3] float64 for [2] "
        "float64");
  CHECK(message_of([&] { y.backward(ones({2}, kFloat32)); }) ==
        "backward: the gradient must have the output's shape and dtype; got [2] float32 for [2] "
        "float64");
  y.backward(tensor({1, 10}, kFloat64));
  CHECK(numbers(x.grad()) == Numbers{3, 30});
}

TEST_CASE("backward from what depends on no leaf is an error") {
  const std::string message =
      "backward: the output does not depend on any tensor that requires a gradient";
  const Tensor x = leaf({1});
  CHECK(message_of([] { tensor({1.0}).backward(); }) == message);
  CHECK(message_of([&] { x.detach().backward(); }) == message);
  CHECK(message_of([] { Tensor().backward(); }) == "backward: the output is undefined");
}

TEST_CASE("create_graph gives gradients of gradients") {
  Tensor x = leaf({2});
  const Tensor y = x * x * x, dx = grad(y, x, {.create_graph = true});
  CHECK(dx.item() == 12);
  const Tensor ddx = grad(dx, x, {.create_graph = true});
  CHECK(ddx.item() == 12);
  CHECK(grad(ddx, x).item() == 6);
  CHECK_FALSE(x.grad().defined());

  y.backward({}, {.create_graph = true});
  CHECK(x.grad().requires_grad());
  CHECK(grad(x.grad(), x).item() == 12);
  x.set_grad({});  // the leaf keeps its gradient, whose graph keeps the leaf
}

TEST_CASE("grad with respect to an intermediate result, alone and beside its leaf") {
  const Tensor x = leaf({2}), y = x * x, z = y * y * 5.0;
  CHECK(grad(z, y, {.retain_graph = true}).item() == 40);
  const Tensors both = grad({z}, {x, y});
  CHECK(both[0].item() == 160);
  CHECK(both[1].item() == 40);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("grad sums over outputs, weighted by their gradients") {
  const Tensor x = leaf({2, 3});
  const Tensor y = x * x, z = sum(x);
  const Tensors dx = grad({y, z}, {x}, {.grad_outputs = {tensor({1, 10}, kFloat64), {}}});
  CHECK(numbers(dx[0]) == Numbers{5, 61});
  CHECK(message_of([&] {
          grad({z}, {x}, {.grad_outputs = {Tensor(), Tensor()}});
        }) == "grad: expected one grad_output for each of 1 outputs; got 2");
}

TEST_CASE("an input that no output depends on") {
  const Tensor x = leaf({2}), other = leaf({1, 2});
  CHECK(message_of([&] {
          grad({x * x}, {x, other});
        }) == "grad: no output depends on input 1 of shape [2]; set allow_unused if that is meant");
  const Tensors found = grad({x * x}, {x, other}, {.allow_unused = true});
  CHECK((found[0].item() == 4 && !found[1].defined()));
  const Tensor constant = x.detach();
  CHECK_FALSE(grad(constant, x, {.allow_unused = true}).defined());
  const Tensors mixed =
      grad({constant, x * x}, {x},
           {.grad_outputs = {tensor({9}, kFloat64), tensor({3}, kFloat64)}, .allow_unused = true});
  CHECK(mixed[0].item() == 12);
  CHECK(message_of([&] { grad(constant, x); }) ==
        "grad: the output does not depend on any tensor that requires a gradient");
  CHECK(message_of([&] { grad({x * x}, {tensor({1.0})}); }) ==
        "grad: input 0 does not require a gradient");
}

TEST_CASE("grad runs only the vjps on the way to its inputs") {
  int runs = 0;
  const Tensor x = leaf({2}), w = leaf({3});
  auto counted = [&runs](Backward& b) {
    ++runs;
    return b.dy();
  };
  const Tensor y = square_with(x, counted) * w;
  CHECK(grad(y, w).item() == 4);
  CHECK(runs == 0);
}

TEST_CASE("hooks see the whole gradient, replace it, and can be removed") {
  const Tensor x = leaf({3});
  Tensor y = x * 2.0;
  Numbers seen;
  y.register_hook([&](const Tensor& dy) {
    seen.push_back(dy.item());
    return Tensor();
  });
  HookHandle tenfold = y.register_hook([](const Tensor& dy) { return dy * 10.0; });
  const Tensor z = y * y + y;
  z.backward({}, {.retain_graph = true});
  CHECK(seen == Numbers{13});
  CHECK(x.grad().item() == 260);
  tenfold.remove();
  z.backward();
  CHECK(seen == Numbers{13, 13});
  CHECK(x.grad().item() == 286);
  tenfold.remove();  // once more: no effect
}

TEST_CASE("a hook on a leaf sees the sum of one pass, and must keep the shape") {
  Tensor x = leaf({3});
  int calls = 0;
  HookHandle twice = x.register_hook([&](const Tensor& dy) {
    ++calls;
    return dy * 2.0;
  });
  (x * x + x).backward();
  CHECK(calls == 1);
  CHECK(x.grad().item() == 14);
  twice.remove();
  x.register_hook([](const Tensor&) { return zeros({2}, kFloat64); });
  CHECK(message_of([&] { (x * x).backward(); }) ==
        "backward: a hook on leaf must keep the gradient's shape [1] and dtype float64; got [2] "
        "float64");
  CHECK(message_of([] { tensor({1.0}).register_hook([](const Tensor& t) { return t; }); }) ==
        "register_hook: the tensor does not require a gradient");
}

TEST_CASE("retain_grad keeps the gradient of an intermediate result") {
  const Tensor x = leaf({3});
  Tensor y = x * 2.0;
  const Tensor without = x * 2.0;
  y.retain_grad();
  (y * y + without).backward();
  CHECK(y.grad().item() == 12);
  CHECK_FALSE(without.grad().defined());
}

TEST_CASE("detach and NoGrad cut the graph") {
  const Tensor x = leaf({3});
  CHECK(x.detach().same_storage(x));
  CHECK_FALSE(x.detach().requires_grad());
  (x * x.detach()).backward();
  CHECK(x.grad().item() == 3);
  {
    NoGrad no_grad;
    CHECK_FALSE((x * x).requires_grad());
    CHECK((x * x).is_leaf());
  }
  CHECK((x * x).requires_grad());
  CHECK_FALSE((x * x).is_leaf());
}

TEST_CASE("only floating leaves can ask for gradients") {
  CHECK(message_of([] {
          tensor({1, 2}).set_requires_grad();
        }) == "set_requires_grad: expected a floating dtype; got int64");
  const Tensor x = leaf({1});
  CHECK(message_of([&] { (x * x).set_requires_grad(false); }) ==
        "set_requires_grad: only leaves can be set; this is a result of mul; detach() it first");
  CHECK(message_of([&] { (x * x).set_grad(x); }) ==
        "set_grad: only a leaf that requires a gradient, or a result that retains its own, has one "
        "to set");
  CHECK(message_of([&] { Tensor(x).set_grad(zeros({2}, kFloat64)); }) ==
        "set_grad: expected shape [1] and dtype float64; got [2] float64");
}

TEST_CASE("a saved tensor that was changed in place is an error that names both ops") {
  const Tensor x = leaf({3}), y = x * x;
  scale_in_place(x.detach(), 2);
  CHECK(message_of([&] { y.backward(); }) ==
        "mul: a tensor of shape [1] that its backward needs was changed in place by "
        "scale_in_place (version 2, saved at 1); clone it first, or change it after backward");
  const Tensor e = exp(x);
  scale_in_place(e, 2);
  CHECK(message_of([&] { e.backward(); }) ==
        "exp: a tensor of shape [1] that its backward needs was changed in place by "
        "scale_in_place (version 1, saved at 0); clone it first, or change it after backward");
  const Tensor z = x + 1.0;  // needs no value of x
  scale_in_place(x.detach(), 2);
  z.backward();
  CHECK(x.grad().item() == 1);
}

TEST_CASE("a saved tensor that was given other data is an error") {
  Tensor x = leaf({3});
  const Tensor y = x * x;
  x.set_data(tensor({4}, kFloat64));
  CHECK(message_of([&] { y.backward(); }) ==
        "mul: a tensor that its backward needs was given other data, now [1] float64, by "
        "set_data, to(dtype) or functional_call; run forward again after that");
  CHECK_FALSE(x.grad().defined());
  (x * x).backward();
  CHECK(x.grad().item() == 8);
}

TEST_CASE("gradients do not share memory with each other or with what the user passed") {
  Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor dy = ones({2}, kFloat64);
  (a + b).backward(dy);  // the vjp of add returns one tensor for both
  scale_in_place(a.grad(), 5);
  CHECK(numbers(b.grad()) == Numbers{1, 1});
  CHECK(numbers(dy) == Numbers{1, 1});
  a.set_grad({});
  a.backward(dy);
  scale_in_place(a.grad(), 5);
  CHECK(numbers(dy) == Numbers{1, 1});
  const Tensor before = a.grad();
  (a * 2.0).backward(dy);
  CHECK(numbers(before) == Numbers{5, 5});  // whoever kept the old gradient still has it
  CHECK(numbers(a.grad()) == Numbers{7, 7});
}

TEST_CASE("an op with several outputs may miss gradients of some") {
  Tensor x = leaf({1, 2, 3, 4});
  const Tensors parts = split(x, 2, 0);
  sum(parts[1] * 5.0).backward({}, {.retain_graph = true});
  CHECK(numbers(x.grad()) == Numbers{0, 0, 5, 5});
  x.set_grad({});
  sum(parts[0] * parts[1]).backward();
  CHECK(numbers(x.grad()) == Numbers{3, 4, 1, 2});
}

TEST_CASE("a vjp that returns the wrong number or kind of gradients is told so") {
  const Tensor x = leaf({1, 2});
  auto message_with = [&](auto vjp) {
    return message_of([&] { sum(square_with(x, vjp)).backward(); });
  };
  CHECK(message_with([](Backward& b) {
          return Tensors{b.dy(), b.dy()};
        }) == "test_square: its vjp must return 1 gradients; got 2");
  CHECK(message_with([](Backward& b) { return sum(b.dy()); }) ==
        "test_square: its vjp must return a gradient of shape [2] and dtype float64 for input 0; "
        "got [] float64");
  CHECK(message_with([](Backward& b) { return to(b.dy(), kFloat32); }) ==
        "test_square: its vjp must return a gradient of shape [2] and dtype float64 for input 0; "
        "got [2] float32");
  CHECK(message_with([](Backward&) { return Tensors{}; }) ==
        "test_square: its vjp must return 1 gradients; got 0");
  sum(square_with(x, [](Backward&) { return Tensor(); })).backward();  // undefined: zero
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a name of an op is taken once") {
  auto samples = [](Samples&) {};
  CHECK(message_of([&] {
          static const Op again{"test_square", samples};
        }) == "op: there is one named test_square already");
  CHECK(message_of([&] {
          static const Op nameless{"", samples};
        }) == "op: a name must not be empty");
}

TEST_CASE("after backward an op holds nothing of what it saved, options included") {
  const Tensor x = leaf({0.5, -0.5}), weight = ones({2});
  const Tensor loss = cross_entropy(x, scalar(1, kInt64), {.weight = weight});
  CHECK_FALSE(weight.is_unique());
  loss.backward();
  CHECK(weight.is_unique());
}

TEST_CASE("a chain of a million ops runs backward and is freed without recursion") {
  const size_t before = allocator_stats().bytes_in_use;
  {
    const Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 1000000; ++i) y = y + 1e-6;
    y.backward({}, {.retain_graph = true});
    CHECK(x.grad().item() == 1);
    y = Tensor();  // the graph goes, never having been released
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE("a fan of a million edges runs backward and is freed, whichever way it opens") {
  const size_t before = allocator_stats().bytes_in_use;
  {
    const Tensor x = leaf({1});
    Tensors uses;
    for (int i = 0; i < 1000000; ++i) uses.push_back(x);
    sum(cat(uses, 0) * 2.0).backward();  // one op with a million inputs
    CHECK(x.grad().item() == 2000000);
  }
  {
    const Tensor x = leaf({1});
    Tensors ends;
    for (int i = 0; i < 500000; ++i) ends.push_back(x + 1.0);  // a node for each use
    const Tensor total = sum(cat(ends, 0));
    ends.clear();
    total.backward({}, {.retain_graph = true});
    CHECK(x.grad().item() == 500000);
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE("a graph gives its memory back, with and without a backward") {
  const size_t before = allocator_stats().bytes_in_use;
  for (bool run : {true, false}) {
    const Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 50000; ++i) y = y * x;
    CHECK(allocator_stats().bytes_in_use > before + size_t{50000} * 64);
    if (!run) continue;
    y.backward();
    CHECK(allocator_stats().bytes_in_use < before + 4096);  // though y is still there
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE("vjp stops at its inputs") {
  const Tensor x = leaf({2}), y = x * x;
  const Tensors d =
      vjp([](const Tensors& in) { return Tensors{in[0] * in[1]}; }, {x, y}, {ones({1}, kFloat64)});
  CHECK(d[0].item() == 4);  // not 12: y is an input of its own
  CHECK(d[1].item() == 2);
  CHECK(grad(d[0], x).item() == 4);  // d y / d x: the result is differentiable
  CHECK_FALSE(x.grad().defined());
}
