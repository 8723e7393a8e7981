// checkpoint(): the same bits as without it, less memory.
#include <weft/autograd/inspect/anomaly.h>
#include <weft/autograd/inspect/intermediates.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/activation_checkpoint.h>
#include <weft/core/allocator.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

// Layers with weights and dropout that f captures.
struct Stack {
  Generator generator{3};
  Tensors weights;

  explicit Stack(int layers, int64_t width) {
    for (int i = 0; i < layers; ++i) {
      Tensor w = randn({width, width}, generator) * 0.2;
      weights.push_back(w.set_requires_grad());
    }
  }

  Tensor layer(size_t i, const Tensor& x) {
    Tensor y = x;
    for (int k = 0; k < 4; ++k) y = gelu(matmul(y, weights[i]));
    return x + dropout(y, 0.3, generator.next_key());
  }

  Tensor run(const Tensor& x, bool recompute) {
    Tensor y = x;
    for (size_t i = 0; i < weights.size(); ++i) {
      auto f = [this, i](const Tensor& t) { return layer(i, t); };
      y = recompute ? checkpoint(f, y) : f(y);
    }
    return y;
  }
};

Tensors gradients(bool recompute) {
  Stack s(3, 8);
  const Tensor x = randn({5, 8}, s.generator).set_requires_grad();
  const Tensor y = s.run(x, recompute);
  Tensors all = s.weights;
  all.push_back(x);
  const uint64_t position = s.generator.position();
  Tensors found = grad({sum(y * y)}, all);
  CHECK(s.generator.position() == position);
  found.push_back(y.detach());
  return found;
}

void check_same_bits(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) CHECK(numbers(a[i]) == numbers(b[i]));
}

}  // namespace

TEST_CASE("checkpoint gives the same bits, dropout and captured weights included") {
  check_same_bits(gradients(true), gradients(false));
}

TEST_CASE("checkpoint under create_graph: second derivatives are the same") {
  auto second = [](bool recompute) {
    Stack s(2, 4);
    const Tensor x = randn({3, 4}, s.generator).set_requires_grad();
    Tensors all = s.weights;
    all.push_back(x);
    const Tensors g = grad({sum(pow(s.run(x, recompute), 2))}, all, {.create_graph = true});
    Tensor squares = zeros({});
    for (const Tensor& t : g) squares = squares + sum(t * t);
    return grad({squares}, all);
  };
  const Tensors with = second(true), without = second(false);
  for (size_t i = 0; i < with.size(); ++i)
    CHECK(max(abs(with[i] - without[i])).item() <= 1e-5 * max(abs(without[i])).item());
}

TEST_CASE("checkpoints nest") {
  auto run = [](int depth) {
    Stack s(2, 4);
    const Tensor x = randn({3, 4}, s.generator).set_requires_grad();
    TensorFunction f = [&s](const Tensor& t) { return s.run(t, true); };
    for (int i = 0; i < depth; ++i) f = [f](const Tensor& t) { return checkpoint(f, Tensors{t}); };
    Tensors all = s.weights;
    all.push_back(x);
    const Tensors y = f({x});
    return grad({sum(y[0] * y[0]), sum(dropout(x, 0.5, s.generator.next_key()))}, all);
  };
  const Tensors flat = run(0);
  check_same_bits(run(1), flat);
  check_same_bits(run(3), flat);
}

TEST_CASE("checkpoint: an input that f captures as well gets both gradients") {
  const Tensor x = tensor({2.0, 3.0}, kFloat64).set_requires_grad();
  const Tensor y = x * x;  // and a result of it that f captures
  const Tensor z = checkpoint([&](const Tensor& t) { return t * x * y; }, x);
  CHECK(numbers(grad(sum(z), x)) == Numbers{32, 108});  // of x^4: 4 x^3
}

TEST_CASE(
    "checkpoint: hooks outside see the whole gradient once, hooks inside see it in backward") {
  const Tensor w = tensor({2.0}, kFloat64).set_requires_grad();
  int outside = 0, inside = 0;
  Tensor(w).register_hook([&](const Tensor& g) {
    ++outside;
    CHECK(g.item() == 7);
    return Tensor();
  });
  auto f = [&](const Tensor& t) {
    Tensor y = w * t;
    y.register_hook([&](const Tensor&) {
      ++inside;
      return Tensor();
    });
    return y;
  };
  const Tensor x = tensor({3.0}, kFloat64).set_requires_grad();
  (checkpoint(f, x) + w * 4.0).backward();
  CHECK(outside == 1);
  CHECK(inside == 1);
  CHECK(w.grad().item() == 7);
}

TEST_CASE("checkpoint keeps no graph of what it computes: the peak of a deep stack is lower") {
  auto peak = [](bool recompute) {
    Stack s(16, 32);
    const Tensor x = randn({256, 32}, s.generator).set_requires_grad();
    reset_peak();
    const size_t before = allocator_stats().bytes_in_use;
    sum(s.run(x, recompute)).backward();
    return allocator_stats().peak_in_use - before;
  };
  const size_t stored = peak(false), recomputed = peak(true);
  INFO("stored " << stored << " bytes, recomputed " << recomputed);
  CHECK(recomputed * 3 < stored);
}

TEST_CASE("checkpoint without gradients is a plain call") {
  const Tensor x = ones({2});
  int calls = 0;
  auto f = [&calls](const Tensor& t) {
    ++calls;
    return Tensors{t * 2.0, gt(t, 0)};
  };
  const Tensors y = checkpoint(f, Tensors{x});
  CHECK_FALSE(y[0].requires_grad());
  CHECK(y[1].dtype() == kBool);
  {
    NoGrad no_grad;
    CHECK_FALSE(checkpoint(f, Tensors{Tensor(x).detach().set_requires_grad()})[0].requires_grad());
  }
  CHECK(calls == 2);
}

TEST_CASE("checkpoint names what was changed before its backward") {
  Tensor x = ones({2}).set_requires_grad();
  const Tensor y = checkpoint([](const Tensor& t) { return t * t; }, x);
  x.mutable_data<float>("the test")[0] = 5;
  CHECK(message_of([&] { sum(y).backward(); }) ==
        "checkpoint: a tensor of shape [2] that its backward needs was changed in place by the "
        "test (version 2, saved at 1); clone it first, or change it after backward");
}

TEST_CASE("checkpoint names a captured weight that was changed before its backward") {
  Tensor w = ones({2, 2}).set_requires_grad(), b = ones({2}).set_requires_grad();
  const Tensor x = ones({2}).set_requires_grad();
  auto through_views = [&](const Tensor& t) { return matmul(transpose(w, 0, 1), t) + b; };
  const Tensor y = checkpoint(through_views, x);
  w.mutable_data<float>("an optimizer")[0] = 5;
  CHECK(message_of([&] { sum(y).backward(); }) ==
        "checkpoint: a tensor of shape [2, 2] that its backward needs was changed in place by an "
        "optimizer (version 2, saved at 1); clone it first, or change it after backward");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("checkpoint names a function that computes something else the second time") {
  const Tensor x = ones({2}).set_requires_grad();
  const std::string must = "checkpoint: the function must compute the same again in backward; ";
  auto second_time = [&](const TensorFunction& first, const TensorFunction& second) {
    int calls = 0;
    const Tensors y = checkpoint(
        [&](const Tensors& in) { return ++calls == 1 ? first(in) : second(in); }, Tensors{x});
    return message_of([&] { sum(y[0]).backward(); });
  };
  auto twice = [](const Tensor& t) { return t * 2.0; };
  auto both = [](const Tensor& t) { return Tensors{t, t}; };
  auto cut_off = [](const Tensor& t) { return t.detach(); };
  auto total = [](const Tensor& t) { return sum(t); };
  CHECK(second_time(both, twice) == must + "it returned 2 tensors, then 1");
  CHECK(second_time(twice, cut_off) ==
        must + "output 0 was float32 [2] with a gradient, then float32 [2] without one");
  CHECK(second_time(twice, total) ==
        must + "output 0 was float32 [2] with a gradient, then float32 [] with one");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("checkpoint: a weight that f makes at its first call learns") {
  Tensor w;
  const Tensor x = tensor({2.0}, kFloat64).set_requires_grad();
  auto f = [&](const Tensor& t) {
    if (!w.defined()) w = tensor({3.0}, kFloat64).set_requires_grad();
    return w * t;
  };
  checkpoint(f, x).backward();
  CHECK(x.grad().item() == 3);
  REQUIRE(w.grad().defined());
  CHECK(w.grad().item() == 2);
}

TEST_CASE("checkpoint: what looks inside is told of the second call, which has the gradients") {
  const Tensor x = tensor({4.0, 0.0}, kFloat64).set_requires_grad();
  auto f = [](const Tensor& t) { return named(t * 2.0, "doubled") * 3.0; };
  const Intermediates seen;
  sum(checkpoint(f, x)).backward();
  CHECK(numbers(seen["doubled"].grad()) == Numbers{3, 3});
  const DetectAnomaly anomaly;
  const Tensor roots = checkpoint([](const Tensor& t) { return sqrt(t); }, x);
  const std::string message = message_of([&] { sum(roots).backward(); });
  CHECK(message.find("checkpoint: its vjp threw: sqrt: its vjp must return finite gradients; for "
                     "input 0 got inf at [1] of float64 [2] (0 NaN, 1 infinite of 2); inputs: "
                     "float64 [2]\nrecorded at:\n") == 0);
  CHECK(message.find("weft::sqrt") != std::string::npos);
}
