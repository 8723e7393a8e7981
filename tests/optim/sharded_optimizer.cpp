// Optimizer state cut among ranks: the same bits as the optimizer alone, and memory divided.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/core/allocator.h>
#include <weft/core/random.h>
#include <weft/optim/adam.h>
#include <weft/optim/distributed/sharded_optimizer.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/thread_ranks.h>

#include <bit>
#include <memory>

using namespace weft;

namespace {

using Make = std::function<std::unique_ptr<Optimizer>(const NamedTensors&)>;

const Make kAdam = [](const NamedTensors& p) {
  return std::make_unique<Adam>(p, AdamOptions{.lr = 0.01, .weight_decay = 0.1, .amsgrad = true});
};
const Make kSgd = [](const NamedTensors& p) {
  return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
};
const Make kPlainSgd = [](const NamedTensors& p) {
  return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.1});
};

// A name within another's, a frozen one, one that never has a gradient, two dtypes.
NamedTensors make_parameters() {
  Generator random(7);
  NamedTensors p{{"layer.w", randn({40, 30}, random)},
                 {"w", randn({5}, random)},
                 {"b.layer.w", randn({3, 2}, random, kFloat64)},
                 {"frozen", randn({8}, random)},
                 {"never", randn({4}, random)},
                 {"late", randn({600}, random)},
                 {"scalar", randn({}, random)}};
  for (NamedTensor& t : p) t.tensor.set_requires_grad(t.name != "frozen");
  return p;
}

void set_gradients(const NamedTensors& parameters, int step) {
  Generator random(100 + static_cast<uint64_t>(step));
  for (const NamedTensor& p : parameters) {
    const Tensor gradient = randn(p.tensor.shape(), random, p.tensor.dtype());
    const bool has = p.name != "never" && (p.name != "late" || step > 1);
    if (p.tensor.requires_grad()) Tensor(p.tensor).set_grad(has ? gradient : Tensor());
  }
}

std::vector<uint64_t> bits_of(const NamedTensors& tensors) {
  std::vector<uint64_t> bits;
  for (const NamedTensor& t : tensors) {
    for (const char c : t.name) bits.push_back(static_cast<uint64_t>(c));
    for (const double x : t.tensor.to_vector<double>()) bits.push_back(std::bit_cast<uint64_t>(x));
  }
  return bits;
}

int64_t elements_of(const NamedTensors& tensors) {
  int64_t n = 0;
  for (const NamedTensor& t : tensors) n += t.tensor.numel();
  return n;
}

struct Alone {
  NamedTensors parameters = make_parameters();
  std::unique_ptr<Optimizer> optimizer;

  Alone(const Make& make, int first, int last) : optimizer(make(parameters)) { run(first, last); }
  void run(int first, int last) {
    for (int step = first; step < last; ++step) {
      set_gradients(parameters, step);
      optimizer->step(0.5);
    }
  }
};

void run(ShardedOptimizer& sharded, const NamedTensors& parameters, int first, int last) {
  for (int step = first; step < last; ++step) {
    set_gradients(parameters, step);
    sharded.step(0.5);
  }
}

}  // namespace

TEST_CASE("sharded optimizer: parameters and state have the bits of the optimizer alone") {
  for (const Make& make : {kAdam, kSgd, kPlainSgd}) {
    const Alone alone(make, 0, 4);
    for (const int ranks : {1, 2, 3, 4, 9}) {
      on_ranks(ranks, [&](Communicator& c) {
        const NamedTensors parameters = make_parameters();
        const auto optimizer = make(parameters);
        ShardedOptimizer sharded(c, parameters, *optimizer);
        run(sharded, parameters, 0, 4);
        const NamedTensors state = sharded.state_dict();
        const std::lock_guard lock(one_at_a_time());
        CAPTURE(ranks, c.rank());
        CHECK(bits_of(parameters) == bits_of(alone.parameters));
        if (c.rank() == 0) CHECK(bits_of(state) == bits_of(alone.optimizer->state_dict()));
        if (c.rank() > 0) CHECK(state.empty());
      });
    }
  }
}

TEST_CASE("sharded optimizer: all gradients stay until they are dropped") {
  on_ranks(2, [](Communicator& c) {
    const NamedTensors parameters = make_parameters();
    Adam adam(parameters);
    ShardedOptimizer sharded(c, parameters, adam);
    set_gradients(parameters, 5);
    sharded.step();
    const std::lock_guard lock(one_at_a_time());
    for (const NamedTensor& p : parameters)
      CHECK(p.tensor.grad().defined() == (p.name != "never" && p.name != "frozen"));
  });
}

TEST_CASE("sharded optimizer: each rank keeps its share of the state, and all of it once") {
  constexpr int64_t kLayers = 12, kSize = 1000;
  for (const int ranks : {1, 2, 3, 4}) {
    std::vector<int64_t> kept(static_cast<size_t>(ranks));
    on_ranks(ranks, [&](Communicator& c) {
      NamedTensors parameters;
      for (int64_t i = 0; i < kLayers; ++i)
        parameters.push_back({fmt::format("w{}", i), ones({kSize}).set_requires_grad()});
      Adam adam(parameters);
      ShardedOptimizer sharded(c, parameters, adam);
      set_gradients(parameters, 2);
      sharded.step();
      kept[static_cast<size_t>(c.rank())] = elements_of(adam.state_dict());
    });
    for (const int64_t n : kept) {  // two moments and a number of steps each; lr_factor
      CAPTURE(ranks);
      CHECK(n == 1 + kLayers / ranks * (2 * kSize + 1));
    }
  }
}

TEST_CASE("sharded optimizer: memory of the allocator is that of one optimizer's state") {
  constexpr int64_t kLayers = 8, kSize = 1 << 16;
  const auto taken_on = [&](int ranks) {
    NamedTensors parameters[4];
    for (NamedTensors& p : parameters)
      for (int64_t i = 0; i < kLayers; ++i) {
        p.push_back({fmt::format("w{}", i), ones({kSize}).set_requires_grad()});
        p.back().tensor.set_grad(ones({kSize}));
      }
    std::unique_ptr<Adam> adams[4];
    const size_t before = allocator_stats().bytes_in_use;
    on_ranks(ranks, [&](Communicator& c) {
      const auto rank = static_cast<size_t>(c.rank());
      adams[rank] = std::make_unique<Adam>(parameters[rank]);
      ShardedOptimizer(c, parameters[rank], *adams[rank]).step();
    });
    return allocator_stats().bytes_in_use - before;
  };
  const size_t alone = taken_on(1);
  CHECK(alone >= 2 * kLayers * kSize * sizeof(float));
  CHECK(taken_on(2) == alone);
  CHECK(taken_on(4) == alone);
}

TEST_CASE("sharded optimizer: goes on from the state of any number of ranks") {
  const Alone whole(kAdam, 0, 6);
  const Alone half(kAdam, 0, 3);
  for (const int ranks : {1, 2, 4}) {
    on_ranks(ranks, [&](Communicator& c) {
      const NamedTensors parameters = make_parameters();
      for (size_t i = 0; i < parameters.size(); ++i)
        Tensor(parameters[i].tensor).set_data(clone(half.parameters[i].tensor.detach()));
      const auto optimizer = kAdam(parameters);
      ShardedOptimizer sharded(c, parameters, *optimizer);
      sharded.load_state_dict(half.optimizer->state_dict());
      run(sharded, parameters, 3, 6);
      const NamedTensors state = sharded.state_dict();
      const std::lock_guard lock(one_at_a_time());
      CAPTURE(ranks);
      CHECK(bits_of(parameters) == bits_of(whole.parameters));
      if (c.rank() == 0) CHECK(bits_of(state) == bits_of(whole.optimizer->state_dict()));
    });
  }
}

TEST_CASE("sharded optimizer: a state loaded before it was made counts") {
  const Alone half(kSgd, 0, 3);
  on_ranks(2, [&](Communicator& c) {
    const NamedTensors parameters = make_parameters();
    const auto optimizer = kSgd(parameters);
    optimizer->load_state_dict(half.optimizer->state_dict());
    ShardedOptimizer sharded(c, parameters, *optimizer);
    const NamedTensors state = sharded.state_dict();
    const std::lock_guard lock(one_at_a_time());
    CHECK(elements_of(optimizer->state_dict()) < elements_of(half.optimizer->state_dict()));
    if (c.rank() == 0) CHECK(bits_of(state) == bits_of(half.optimizer->state_dict()));
  });
}

TEST_CASE("sharded optimizer: wrong parameters and states are named") {
  on_ranks(1, [](Communicator& c) {
    const NamedTensors parameters = make_parameters(), others = make_parameters();
    Adam adam(parameters);
    CHECK(message_of([&] { ShardedOptimizer(c, {parameters[0]}, adam); }) ==
          "ShardedOptimizer: parameters must be the optimizer's 7; got 1");
    CHECK(message_of([&] { ShardedOptimizer(c, others, adam); }) ==
          "ShardedOptimizer: parameters must be the optimizer's; \"layer.w\" is not");
    ShardedOptimizer sharded(c, parameters, adam);
    NamedTensors state = adam.state_dict();
    state.push_back({"step.nobody", scalar(1, kInt64)});
    CHECK(message_of([&] { sharded.load_state_dict(state); }) ==
          "Adam: the state has an unexpected \"step.nobody\"");
  });
}
