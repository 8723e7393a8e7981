// Gradients that several ranks sum, here threads of one process.
#include <weft/autograd/autograd.h>
#include <weft/core/error.h>
#include <weft/core/random.h>
#include <weft/optim/distributed/data_parallel.h>
#include <weft/tests/catch.h>
#include <weft/tests/thread_ranks.h>

#include <bit>

using namespace weft;

namespace {

Tensor learning(const Tensor& t) { return Tensor(t).set_requires_grad(); }

// Some parameters: of two dtypes, of one element, and one that no part reaches.
NamedTensors make_parameters(uint64_t seed) {
  Generator random(seed);
  return {{"first", learning(randn({3, 5}, random))},
          {"double", learning(randn({4}, random, kFloat64))},
          {"one", learning(randn({1}, random))},
          {"some", learning(randn({2, 2}, random))},
          {"never", learning(randn({2}, random))},
          {"last", learning(randn({7}, random))}};
}

// A loss of part i; "some" has to do with every third part alone.
void backward(const NamedTensors& p, int64_t part) {
  Generator random(static_cast<uint64_t>(100 + part));
  Tensor loss = sum(tanh(p[0].tensor * randn({3, 5}, random)) * randn({5}, random));
  loss = loss + sum(p[5].tensor * p[5].tensor * randn({7}, random)) * sum(exp(p[2].tensor));
  loss = loss + to(sum(p[1].tensor * randn({4}, random, kFloat64)), kFloat32);
  if (part % 3 == 0) loss = loss + sum(p[3].tensor * randn({2, 2}, random));
  loss.backward();
}

std::vector<uint64_t> bits_of(const NamedTensors& parameters) {
  std::vector<uint64_t> bits;
  for (const NamedTensor& p : parameters) {
    const Tensor gradient = p.tensor.grad();
    bits.push_back(gradient.defined());
    if (!gradient.defined()) continue;
    for (const double x : gradient.to_vector<double>()) bits.push_back(std::bit_cast<uint64_t>(x));
  }
  return bits;
}

std::vector<uint64_t> sum_on(Communicator& communicator, int64_t parts, int64_t bucket_bytes) {
  const NamedTensors parameters = make_parameters(1 + static_cast<uint64_t>(communicator.rank()));
  DataParallel ranks(communicator, parameters, {.bucket_bytes = bucket_bytes});
  ranks.check_equal();
  for (int round = 0; round < 2; ++round) {
    for (const NamedTensor& p : parameters) Tensor(p.tensor).set_grad({});
    ranks.sum_gradients(parts, [&](int64_t part) { backward(parameters, part); });
  }
  return bits_of(parameters);
}

}  // namespace

TEST_CASE("data parallel: sums of gradients have the same bits at any number of ranks") {
  for (int64_t parts = 1; parts <= 9; ++parts) {
    std::vector<uint64_t> alone;
    on_ranks(1, [&](Communicator& c) { alone = sum_on(c, parts, 1 << 20); });
    for (const int ranks : {2, 3, 4, 5}) {
      for (const int64_t bucket_bytes : {1, 40, 1 << 20}) {
        on_ranks(ranks, [&](Communicator& c) {
          const std::vector<uint64_t> bits = sum_on(c, parts, bucket_bytes);
          const std::lock_guard lock(one_at_a_time());
          CAPTURE(parts, ranks, bucket_bytes);
          CHECK(bits == alone);
        });
      }
    }
  }
}

TEST_CASE("data parallel: the sum is the gradient of the sum") {
  const NamedTensors once = make_parameters(1);
  for (int64_t part = 0; part < 6; ++part) backward(once, part);
  on_ranks(1, [&](Communicator& c) {
    const NamedTensors parameters = make_parameters(1);
    DataParallel ranks(c, parameters);
    ranks.sum_gradients(6, [&](int64_t part) { backward(parameters, part); });
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Tensor a = parameters[i].tensor.grad(), b = once[i].tensor.grad();
      REQUIRE(a.defined() == b.defined());
      if (a.defined()) CHECK(max(abs(a - b)).item() < 1e-5);
    }
  });
}

TEST_CASE("data parallel: a parameter that went its own way is named") {
  on_ranks(3, [](Communicator& c) {
    const NamedTensors parameters = make_parameters(1);
    DataParallel ranks(c, parameters);
    if (c.rank() == 2) Tensor(parameters[3].tensor).mutable_data<float>()[1] = 9;
    const std::string message = message_of([&] { ranks.check_equal(); });
    const std::lock_guard lock(one_at_a_time());
    CHECK(message ==
          "DataParallel: values of rank 2 must be values of rank 0; some [2, 2] float32 is not");
  });
}

TEST_CASE("data parallel: after a part that throws, backward is as it was") {
  on_ranks(2, [](Communicator& c) {
    const NamedTensors parameters = make_parameters(1), plain = make_parameters(1);
    DataParallel ranks(c, parameters);
    const std::string message =
        message_of([&] { ranks.sum_gradients(2, [](int64_t) { throw Error("no such batch"); }); });
    backward(parameters, 0);
    backward(plain, 0);
    const std::lock_guard lock(one_at_a_time());
    CHECK(message == "no such batch");
    CHECK(bits_of(parameters) == bits_of(plain));
  });
}
