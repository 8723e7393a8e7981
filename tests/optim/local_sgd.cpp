// Ranks that train alone and meet now and then.
#include <weft/autograd/autograd.h>
#include <weft/core/random.h>
#include <weft/optim/adam.h>
#include <weft/optim/distributed/local_sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/thread_ranks.h>

#include <algorithm>
#include <bit>
#include <cmath>

using namespace weft;

namespace {

std::vector<uint64_t> bits_of(const NamedTensors& parameters) {
  std::vector<uint64_t> bits;
  for (const NamedTensor& p : parameters)
    for (const double x : p.tensor.to_vector<double>()) bits.push_back(std::bit_cast<uint64_t>(x));
  return bits;
}

NamedTensors make_parameters(uint64_t seed) {
  Generator random(seed);
  NamedTensors p{{"w", randn({6, 5}, random)},
                 {"double", randn({7}, random, kFloat64)},
                 {"frozen", randn({3}, random)},
                 {"b", randn({1}, random)}};
  for (NamedTensor& t : p) t.tensor.set_requires_grad(t.name != "frozen");
  return p;
}

// A loss of a rank's own, at a step.
void backward(const NamedTensors& p, int rank, int step) {
  Generator random(static_cast<uint64_t>(1000 * rank + step));
  Tensor loss = sum(tanh(p[0].tensor * randn({6, 5}, random))) * sum(exp(p[3].tensor));
  loss = loss + to(sum(p[1].tensor * p[1].tensor * randn({7}, random, kFloat64)), kFloat32);
  loss.backward();
}

}  // namespace

TEST_CASE("local SGD: parameters have the same bits on all ranks after an outer step") {
  for (const int ranks : {1, 2, 3, 4}) {
    std::vector<std::vector<uint64_t>> bits(static_cast<size_t>(ranks));
    std::vector<std::vector<uint64_t>> again = bits, apart = bits;
    const auto train = [&](std::vector<std::vector<uint64_t>>& out) {
      on_ranks(ranks, [&](Communicator& c) {
        const auto rank = static_cast<size_t>(c.rank());
        const NamedTensors p = make_parameters(1 + rank);
        LocalSgd local(c, p, {.steps = 3});
        Adam adam(p, {.lr = 0.01});
        for (int step = 0; step < 9; ++step) {
          backward(p, c.rank(), step);
          adam.step();
          adam.zero_grad();
          if (step == 7) apart[rank] = bits_of(p);
          const bool met = local.step();
          const std::lock_guard lock(one_at_a_time());
          CHECK(met == (step % 3 == 2));
        }
        out[rank] = bits_of(p);
      });
    };
    train(bits);
    train(again);
    CAPTURE(ranks);
    for (const auto& of_rank : bits) CHECK(of_rank == bits[0]);
    CHECK(again == bits);
    if (ranks > 1) CHECK(apart[0] != apart[1]);
  }
}

TEST_CASE("local SGD: one step, an outer lr of 1 and no momentum average parameters") {
  for (const int ranks : {1, 2, 4}) {  // powers of 2 and small whole numbers: nothing is rounded
    on_ranks(ranks, [&](Communicator& c) {
      Tensor w = full({3, 2}, 8).set_requires_grad();
      LocalSgd local(c, {{"w", w}}, {.steps = 1, .outer = {.lr = 1}});
      double mean = 8;
      for (int step = 1; step < 4; ++step) {
        Sgd sgd({{"w", w}}, {.lr = 0.5});
        w.set_grad(full({3, 2}, step * (1 + c.rank())));
        sgd.step();
        local.step();
        mean -= 0.5 * step * (1 + ranks) / 2;
        const std::lock_guard lock(one_at_a_time());
        CHECK(w.to_vector<double>() == std::vector<double>(6, mean));
      }
    });
  }
}

// Rank k has the loss a (x - c_k)^2 / 2. H steps of gradient descent take x - c_k to q (x - c_k), q
// = (1 - lr a)^H, so the outer gradient is (1 - q) (x - mean c): descent on the mean loss.
TEST_CASE("local SGD: on a quadratic the outer steps are those of the closed form") {
  constexpr double kA = 0.3, kLr = 0.2, kOuter = 0.7, kMomentum = 0.9;
  constexpr int kSteps = 5, kRounds = 40;
  const double shrink = 1 - std::pow(1 - kLr * kA, kSteps);
  for (const int ranks : {1, 2, 3, 4}) {
    const auto centre = [](int rank) { return 1.0 + rank * rank; };
    double mean = 0;
    for (int k = 0; k < ranks; ++k) mean += centre(k) / ranks;
    on_ranks(ranks, [&](Communicator& c) {
      Tensor x = scalar(-3, kFloat64).set_requires_grad();
      Sgd sgd({{"x", x}}, {.lr = kLr});
      LocalSgd local(c, {{"x", x}}, {.steps = kSteps});
      double expected = -3, velocity = 0;
      for (int round = 0; round < kRounds; ++round) {
        for (int step = 0; step < kSteps; ++step) {
          const Tensor away = x - centre(c.rank());
          (away * away * (kA / 2)).backward();
          sgd.step();
          sgd.zero_grad();
          local.step();
        }
        const double g = shrink * (expected - mean);
        velocity = kMomentum * velocity + g;
        expected -= kOuter * (g + kMomentum * velocity);
        const std::lock_guard lock(one_at_a_time());
        CAPTURE(ranks, round);
        CHECK(std::abs(x.item() - expected) < 1e-12 * std::max(1.0, std::abs(expected)));
      }
    });
  }
}

TEST_CASE("local SGD: a run goes on from its parameters and the state of the outer steps") {
  on_ranks(2, [](Communicator& c) {
    const NamedTensors p = make_parameters(1), resumed = make_parameters(2);
    Sgd sgd(p, {.lr = 0.1}), sgd_again(resumed, {.lr = 0.1});
    LocalSgd local(c, p, {.steps = 2}), again(c, resumed, {.steps = 2});
    const auto run = [&](const NamedTensors& on, Sgd& inner, LocalSgd& outer, int first) {
      for (int step = first; step < first + 4; ++step) {
        backward(on, c.rank(), step);
        inner.step();
        inner.zero_grad();
        outer.step();
      }
    };
    run(p, sgd, local, 0);
    for (size_t i = 0; i < p.size(); ++i)
      Tensor(resumed[i].tensor).set_data(clone(p[i].tensor.detach()));
    again.outer().load_state_dict(local.outer().state_dict());
    again.restart();
    run(p, sgd, local, 4);
    run(resumed, sgd_again, again, 4);
    const std::lock_guard lock(one_at_a_time());
    CHECK(bits_of(p) == bits_of(resumed));
  });
}

TEST_CASE("local SGD: the state of all ranks is saved by rank 0, and each goes on with its own") {
  NamedTensors saved;  // of rank 0
  on_ranks(3, [&](Communicator& c) {
    const NamedTensors p = make_parameters(1), resumed = make_parameters(2);
    Adam adam(p, {.lr = 0.01}), adam_again(resumed, {.lr = 0.01});
    LocalSgd local(c, p, {.steps = 2}), again(c, resumed, {.steps = 2});
    const auto run = [&](const NamedTensors& on, Adam& inner, LocalSgd& outer, int first) {
      for (int step = first; step < first + 4; ++step) {
        backward(on, c.rank(), step);
        inner.step();
        inner.zero_grad();
        outer.step();
      }
    };
    run(p, adam, local, 0);
    local.check_equal();
    const NamedTensors state = local.state_dict(adam);
    expect(state.empty() == (c.rank() > 0));
    if (c.rank() == 0)
      for (const NamedTensor& t : state) saved.push_back({t.name, clone(t.tensor)});
    uint8_t done = 0;
    c.broadcast(std::as_writable_bytes(std::span(&done, 1)));  // until it is saved
    for (size_t i = 0; i < p.size(); ++i)
      Tensor(resumed[i].tensor).set_data(clone(p[i].tensor.detach()));
    again.load_state_dict(saved, adam_again);
    again.restart();
    run(p, adam, local, 4);
    run(resumed, adam_again, again, 4);
    const std::lock_guard lock(one_at_a_time());
    CHECK(bits_of(p) == bits_of(resumed));
  });
  const auto holds = [&](const char* name) {
    return std::any_of(saved.begin(), saved.end(),
                       [&](const NamedTensor& t) { return t.name == name; });
  };
  for (const char* name : {"outer.momentum_buffer.double", "rank0.exp_avg.w", "rank2.step.b"})
    CHECK(holds(name));
  CHECK_FALSE(holds("rank3.exp_avg.w"));
  on_ranks(2, [&](Communicator& c) {
    const NamedTensors p = make_parameters(1);
    Adam adam(p, {.lr = 0.01});
    LocalSgd local(c, p);
    const std::string ranks = message_of([&] { local.load_state_dict(saved, adam); });
    const std::string none = message_of([&] { local.load_state_dict({}, adam); });
    NamedTensors part = saved;
    std::erase_if(part, [](const NamedTensor& t) { return t.name == "outer.lr_factor"; });
    for (NamedTensor& t : part)
      if (t.name == "ranks") t.tensor = from_vector<int64_t>({2}, {});
    const std::string lacks = message_of([&] { local.load_state_dict(part, adam); });
    const std::lock_guard lock(one_at_a_time());
    CHECK(ranks ==
          "LocalSgd: each rank goes on with an optimizer of its own; the state has those of 3 "
          "ranks, and there are 2");
    CHECK(none == "LocalSgd: the state must say how many ranks it is of");
    CHECK(lacks == "Sgd: the state lacks \"lr_factor\"");
  });
}

TEST_CASE("local SGD: ranks that are apart are found") {
  on_ranks(2, [](Communicator& c) {
    const NamedTensors p = make_parameters(1);
    LocalSgd local(c, p, {.steps = 2});
    backward(p, c.rank(), 0);
    Adam(p, {.lr = 0.01}).step();
    local.step();
    const std::string apart = message_of([&] { local.check_equal(); });
    const std::lock_guard lock(one_at_a_time());
    CHECK(apart == "LocalSgd: values of rank 1 must be values of rank 0; w [6, 5] float32 is not");
  });
}

TEST_CASE("local SGD: settings and parameters that do not fit are named") {
  on_ranks(2, [](Communicator& c) {
    const NamedTensors p = make_parameters(1);
    const std::string steps = message_of([&] { LocalSgd(c, p, {.steps = 0}); });
    const NamedTensors other{{c.rank() == 0 ? "w" : "v", ones({2}).set_requires_grad()}};
    const std::string names = message_of([&] { LocalSgd(c, other); });
    const std::lock_guard lock(one_at_a_time());
    CHECK(steps == "LocalSgd: steps must be positive; got 0");
    CHECK(names == "LocalSgd: parameters of rank 1 must be parameters of rank 0; " + other[0].name +
                       " [2] float32 is not");
  });
}
