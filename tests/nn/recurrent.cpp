// GRU and LSTM: rows of different lengths, states handed on.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/recurrent/recurrent.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

#include <cmath>
#include <memory>

using namespace weft;

TEST_CASE("what stands in the padding reaches no gradient, to second order") {
  const std::vector<int64_t> lengths{4, 2};
  const Tensor clean = normal({4, 2, 3}, 5);
  const Tensor padding =
      ge(reshape(arange(4), {4, 1, 1}), reshape(from_vector(lengths, {2}), {1, 2, 1}));
  const auto derivatives = [&](auto& layer, double junk) {
    const Tensor x = masked_fill(clean, padding, junk).detach().set_requires_grad();
    Tensors all = layer.parameters();
    all.push_back(x);
    const Tensor y = layer(x, RecurrentState(), lengths).output;
    const Tensors first = grad({sum(y * y)}, all, {.create_graph = true});
    Tensor squares = zeros({}, kFloat64);
    for (const Tensor& dx : first) squares = squares + sum(dx * dx);
    Tensors both = grad({squares}, all);
    both.insert(both.end(), first.begin(), first.end());
    return both;
  };
  const auto check = [&](auto layer) {
    layer->to(kFloat64);
    const Tensors want = derivatives(*layer, 0);
    for (const double junk : {std::nan(""), HUGE_VAL, 1e300}) {
      const Tensors found = derivatives(*layer, junk);
      for (size_t i = 0; i < want.size(); ++i)
        CHECK(found[i].template to_vector<double>() == want[i].template to_vector<double>());
    }
  };
  for (const bool bidirectional : {false, true}) {
    const RecurrentOptions options{
        .input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = bidirectional};
    check(std::make_unique<GRU>(options, Generator(1)));
    check(std::make_unique<LSTM>(options, Generator(1)));
  }
}

TEST_CASE("a padded row of a batch gives what it gives alone") {
  for (const int64_t layers : {1, 2}) {
    LSTM lstm({.input_size = 3, .hidden_size = 4, .num_layers = layers, .bidirectional = true},
              Generator(1));
    lstm.to(kFloat64);
    const Tensor x = normal({5, 2, 3}, 2).set_requires_grad();  // [T, B, I]
    const RecurrentResult both = lstm(x, RecurrentState(), std::vector<int64_t>{5, 2});
    const Tensor row = slice(slice(x, 1, 1, 2), 0, 0, 2);
    const RecurrentResult alone = lstm(row);
    const Tensor outputs = slice(both.output, 1, 1, 2);
    CHECK(largest_difference(slice(outputs, 0, 0, 2), alone.output) < 1e-14);
    CHECK(max(abs(slice(outputs, 0, 2))).item() == 0);
    CHECK(largest_difference(slice(both.state.hidden, 1, 1, 2), alone.state.hidden) < 1e-14);
    CHECK(largest_difference(slice(both.state.cell, 1, 1, 2), alone.state.cell) < 1e-14);

    sum(both.output * both.output).backward();
    CHECK(max(abs(slice(slice(x.grad(), 1, 1, 2), 0, 2))).item() == 0);
  }
}

TEST_CASE("a sequence in two halves, the state handed on, gives what it gives whole") {
  GRU gru({.input_size = 3, .hidden_size = 4, .num_layers = 2, .batch_first = true}, Generator(1));
  gru.to(kFloat64);
  const Tensor x = normal({2, 5, 3}, 2);
  const RecurrentResult whole = gru(x), first = gru(slice(x, 1, 0, 3));
  const RecurrentResult second = gru(slice(x, 1, 3), first.state);
  CHECK(largest_difference(whole.output, cat({first.output, second.output}, 1)) < 1e-15);
  CHECK(largest_difference(whole.state.hidden, second.state.hidden) < 1e-15);
}

TEST_CASE("recurrent dropout is between layers, in training only") {
  const Tensor x = normal({5, 2, 3}, 2);
  auto differ = [&](int64_t layers, bool training) {
    GRU gru({.input_size = 3, .hidden_size = 4, .num_layers = layers, .dropout = 0.5},
            Generator(1));
    gru.to(kFloat64);
    gru.train(training);
    return largest_difference(gru(x).output, gru(x).output) > 0;
  };
  CHECK(differ(2, true));
  CHECK_FALSE(differ(2, false));
  CHECK_FALSE(differ(1, true));
}

TEST_CASE("recurrent layers say what is wrong with their inputs") {
  GRU gru({.input_size = 3, .hidden_size = 4}, Generator(1));
  LSTM lstm({.input_size = 3, .hidden_size = 4, .num_layers = 2, .batch_first = true},
            Generator(1));
  CHECK(message_of([&] { gru(ones({5, 2, 4})); }) == "gru: expected [T, B, 3]; got [5, 2, 4]");
  CHECK(message_of([&] { lstm(ones({5, 3})); }) == "lstm: expected [B, T, 3]; got [5, 3]");
  CHECK(message_of([&] {
          gru(ones({0, 2, 3}));
        }) == "gru: expected at least one time step; got [0, 2, 3]");
  CHECK(message_of([&] {
          lstm(ones({5, 2, 3}), RecurrentState{ones({1, 5, 4}), {}});
        }) == "lstm: the state must be [2, 5, 4]; got [1, 5, 4]");
  CHECK(message_of([&] {
          gru(ones({5, 2, 3}), RecurrentState(), std::vector<int64_t>{1});
        }) == "gru: expected a length for each of 2 rows; got 1");
  CHECK(message_of([&] {
          gru(ones({5, 2, 3}), RecurrentState(), std::vector<int64_t>{1, 6});
        }) == "gru: lengths must be in [0, 5]; got 6");
  CHECK(message_of([] { GRU({.input_size = 3, .hidden_size = 0}, Generator(1)); }) ==
        "gru: sizes and num_layers must be positive; got 3, 0 and 1");
  CHECK(message_of([] {
          GRUCell(3, 2, Generator(1))(ones({2, 4}));
        }) == "gru cell: expected [B, 3]; got [2, 4]");
  CHECK(message_of([] {
          GRUCell(3, 2, Generator(1))(ones({4, 3}), ones({1, 2}));
        }) == "gru cell: the state must be [4, 2]; got [1, 2]");
  CHECK(message_of([] {
          LSTMCell(3, 2, Generator(1))(ones({4, 3}), RecurrentState{ones({4, 2}), ones({4, 1})});
        }) == "lstm cell: the state must be [4, 2]; got [4, 1]");
}

TEST_CASE("a GRU refuses a state with a cell, which would go unread") {
  GRU gru({.input_size = 3, .hidden_size = 2}, Generator(1));
  const Tensor state = zeros({1, 4, 2});
  CHECK(message_of([&] {
          gru(zeros({5, 4, 3}), RecurrentState{state, state});
        }) == "gru: only an LSTM's state has a cell; got one of [1, 4, 2]");
}
