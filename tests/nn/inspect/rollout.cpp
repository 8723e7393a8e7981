// Rollout against loops over positions, attention flow against the smallest of all cuts.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/rollout.h>
#include <weft/tests/nn/numbers.h>

#include <limits>

using namespace weft;

namespace {

using Matrix = std::vector<std::vector<double>>;

// Of sentence b, heads averaged.
Matrix averaged(const Tensor& weights, int64_t b) {
  Matrix a(static_cast<size_t>(weights.size(2)));
  for (size_t i = 0; i < a.size(); ++i) {
    a[i].assign(static_cast<size_t>(weights.size(3)), 0);
    for (size_t k = 0; k < a[i].size(); ++k)
      for (int64_t h = 0; h < weights.size(1); ++h)
        a[i][k] += weights.at({b, h, static_cast<int64_t>(i), static_cast<int64_t>(k)}) /
                   static_cast<double>(weights.size(1));
  }
  return a;
}

Matrix identity(size_t n) {
  Matrix m(n, std::vector<double>(n));
  for (size_t i = 0; i < n; ++i) m[i][i] = 1;
  return m;
}

// state + a other, in half: what one attention layer does to where its positions stem from.
Matrix mixed(const Matrix& state, const Matrix& a, const Matrix& other) {
  Matrix y = state;
  for (size_t i = 0; i < y.size(); ++i)
    for (size_t j = 0; j < y[i].size(); ++j) {
      y[i][j] *= 0.5;
      for (size_t k = 0; k < a[i].size(); ++k) y[i][j] += 0.5 * a[i][k] * other[k][j];
    }
  return y;
}

void check_equal(const Tensor& r, int64_t b, int64_t row, int64_t column, const Matrix& expected) {
  for (size_t i = 0; i < expected.size(); ++i)
    for (size_t j = 0; j < expected[i].size(); ++j)
      CHECK(std::abs(r.at({b, row + static_cast<int64_t>(i), column + static_cast<int64_t>(j)}) -
                     expected[i][j]) < kClose);
}

AttentionTrace example() {
  return {.encoder = {random_weights({2, 3, 4, 4}, 1), random_weights({2, 3, 4, 4}, 2)},
          .decoder = {random_weights({2, 3, 5, 5}, 3), random_weights({2, 3, 5, 5}, 4)},
          .cross = {random_weights({2, 3, 5, 4}, 5), random_weights({2, 3, 5, 4}, 6)}};
}

// The smallest cut between a position above the last layer and one below the first, of all.
double smallest_cut(const Tensors& layers, int64_t b, int64_t i, int64_t j) {
  const auto width = static_cast<size_t>(layers[0].size(1)), nodes = (layers.size() + 1) * width;
  const size_t source = layers.size() * width + static_cast<size_t>(i),
               sink = static_cast<size_t>(j);
  double best = std::numeric_limits<double>::infinity();
  for (size_t side = 0; side < size_t{1} << nodes; ++side) {
    const auto with_source = [&](size_t node) { return (side >> node & 1) != 0; };
    if (!with_source(source) || with_source(sink)) continue;
    double cut = 0;
    for (size_t l = 0; l < layers.size(); ++l)
      for (size_t from = 0; from < width; ++from)
        for (size_t to = 0; to < width; ++to)
          if (with_source((l + 1) * width + from) && !with_source(l * width + to))
            cut += layers[l].at({b, static_cast<int64_t>(from), static_cast<int64_t>(to)});
    best = std::min(best, cut);
  }
  return best;
}

}  // namespace

TEST_CASE("rollout of an encoder is the recursion over its layers") {
  const Tensors layers = example().encoder;
  const Tensor r = rollout(residual_layers(layers));
  REQUIRE(r.shape() == Shape{2, 4, 4});
  for (int64_t b = 0; b < 2; ++b) {
    Matrix state = identity(4);
    for (const Tensor& a : layers) state = mixed(state, averaged(a, b), state);
    check_equal(r, b, 0, 0, state);
  }
  CHECK(largest_difference(sum(r, {-1}), ones({2, 4}, kFloat64)) < kClose);
}

TEST_CASE("rollout of an encoder-decoder is the recursion over where its states stem from") {
  const AttentionTrace trace = example();
  const Tensor r = rollout(residual_layers(trace));
  REQUIRE(r.shape() == Shape{2, 9, 9});
  for (int64_t b = 0; b < 2; ++b) {
    Matrix memory = identity(4), by_target = identity(5), by_source(5, std::vector<double>(4));
    for (const Tensor& a : trace.encoder) memory = mixed(memory, averaged(a, b), memory);
    for (size_t l = 0; l < 2; ++l) {
      const Matrix self = averaged(trace.decoder[l], b), cross = averaged(trace.cross[l], b);
      by_target = mixed(by_target, self, by_target);
      by_source = mixed(by_source, self, by_source);
      by_target = mixed(by_target, cross, Matrix(4, std::vector<double>(5)));
      by_source = mixed(by_source, cross, memory);
    }
    check_equal(r, b, 0, 0, memory);
    check_equal(r, b, 0, 4, Matrix(4, std::vector<double>(5)));
    check_equal(r, b, 4, 0, by_source);
    check_equal(r, b, 4, 4, by_target);
  }
  CHECK(largest_difference(sum(r, {-1}), ones({2, 9}, kFloat64)) < kClose);
}

TEST_CASE("rollout is differentiable") {
  const auto f = [](const Tensors& in) {
    return Tensors{rollout(
        residual_layers(AttentionTrace{.encoder = {in[0]}, .decoder = {in[1]}, .cross = {in[2]}}))};
  };
  const Tensors at{random_weights({1, 2, 3, 3}, 1), random_weights({1, 2, 2, 2}, 2),
                   random_weights({1, 2, 2, 3}, 3)};
  CHECK(gradcheck("rollout", f, at).failure == "");
}

TEST_CASE("attention flow is the smallest cut") {
  for (const int64_t width : {2, 3})
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      Tensors weights;
      for (uint64_t l = 0; l < 3; ++l)
        weights.push_back(random_weights({2, 2, width, width}, 10 * seed + l));
      const Tensors layers = residual_layers(weights);
      const Tensor flow = attention_flow(layers);
      for (int64_t b = 0; b < 2; ++b)
        for (int64_t i = 0; i < width; ++i)
          for (int64_t j = 0; j < width; ++j)
            CHECK(std::abs(flow.at({b, i, j}) - smallest_cut(layers, b, i, j)) < kClose);
    }
}

TEST_CASE("attention flow where it is known") {
  const Tensor a = residual_layers({random_weights({1, 2, 4, 4}, 1)})[0];
  CHECK(largest_difference(attention_flow({a}), a) == 0);  // one layer: an edge each
  // Two layers, from 0 to 1: over 0 passes min(0.75, 0.125), over 1 passes min(0.25, 1).
  const Tensor upper = tensor({{{0.75, 0.25}, {0.5, 0.5}}}, kFloat64),
               lower = tensor({{{0.875, 0.125}, {0.0, 1.0}}}, kFloat64);
  CHECK(attention_flow({lower, upper}).at({0, 0, 1}) == 0.375);
  CHECK(attention_flow({lower, upper}).at({0, 0, 0}) == 0.75);
  // The source is not reached from the decoder's past: nothing flows upwards in the encoder.
  const Tensor joint = attention_flow(residual_layers(example()));
  CHECK(max(slice(slice(joint, 1, 0, 4), 2, 4)).item() == 0);
}

TEST_CASE("rollout and flow say what they expect") {
  CHECK(message_of([] {
          residual_layers(Tensors{ones({2, 3, 3})});
        }) ==
        "residual_layers: expected attention weights per head, floating [B, H, Tq, Tk]; got "
        "float32 [2, 3, 3]");
  CHECK(message_of([] {
          residual_layers(Tensors{ones({1, 2, 3, 4})});
        }) ==
        "residual_layers: expected weights of self-attention, [B, H, T, T]; got [1, 2, 3, 4]");
  AttentionTrace trace = example();
  trace.encoder[1] = ones({2, 3, 5, 5});
  CHECK(message_of([&] { residual_layers(trace); }) ==
        "residual_layers: expected encoder weights [2, H, 4, 4], as the cross-attention "
        "[2, 3, 5, 4] has it; got [2, 3, 5, 5]");
  trace.cross.pop_back();
  CHECK(message_of([&] { residual_layers(trace); }) ==
        "residual_layers: expected as many layers of decoder as of cross-attention, at least 1; "
        "got 2 and 1");
  CHECK(message_of([] { rollout({}); }) == "rollout: expected at least one layer; got none");
  CHECK(message_of([] {
          rollout({ones({1, 2, 2}), ones({1, 3, 3})});
        }) == "rollout: layers must have one shape; got [1, 2, 2] and [1, 3, 3]");
  CHECK(message_of([] {
          attention_flow({ones({1, 2, 2}) * -1});
        }) == "attention_flow: expected weights of at least 0; got -1");
}
