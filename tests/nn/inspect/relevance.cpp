// Relevance propagation against loops over positions, and where the answer is known.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

using Matrix = std::vector<std::vector<double>>;

constexpr int64_t kBatch = 2, kHeads = 3, kSource = 4, kTarget = 5;

Matrix zero(size_t rows, size_t columns) { return Matrix(rows, std::vector<double>(columns)); }

Matrix identity(size_t n) {
  Matrix m = zero(n, n);
  for (size_t i = 0; i < n; ++i) m[i][i] = 1;
  return m;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix y = zero(a.size(), b[0].size());
  for (size_t i = 0; i < y.size(); ++i)
    for (size_t j = 0; j < y[i].size(); ++j)
      for (size_t k = 0; k < b.size(); ++k) y[i][j] += a[i][k] * b[k][j];
  return y;
}

Matrix total(Matrix a, const Matrix& b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) a[i][j] += b[i][j];
  return a;
}

Matrix transposed(const Matrix& a) {
  Matrix y = zero(a[0].size(), a.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) y[j][i] = a[i][j];
  return y;
}

Matrix normalized(Matrix r) {
  for (size_t i = 0; i < r.size(); ++i) {
    r[i][i] -= 1;
    double sum = 0;
    for (double x : r[i]) sum += x;
    for (double& x : r[i]) x = sum == 0 ? 0 : x / sum;
    r[i][i] += 1;
  }
  return r;
}

// Equation 5 for sentence b.
Matrix positive(const Tensor& a, const Tensor& g, int64_t b) {
  Matrix y = zero(static_cast<size_t>(a.size(2)), static_cast<size_t>(a.size(3)));
  for (size_t i = 0; i < y.size(); ++i)
    for (size_t j = 0; j < y[i].size(); ++j)
      for (int64_t h = 0; h < a.size(1); ++h) {
        const auto q = static_cast<int64_t>(i), k = static_cast<int64_t>(j);
        y[i][j] +=
            std::max(0.0, a.at({b, h, q, k}) * g.at({b, h, q, k})) / static_cast<double>(a.size(1));
      }
  return y;
}

void check_equal(const Tensor& r, int64_t b, const Matrix& expected) {
  REQUIRE(r.size(1) == std::ssize(expected));
  for (size_t i = 0; i < expected.size(); ++i)
    for (size_t j = 0; j < expected[i].size(); ++j)
      CHECK(std::abs(r.at({b, static_cast<int64_t>(i), static_cast<int64_t>(j)}) - expected[i][j]) <
            kClose);
}

// Weights, or what may be gradients of them.
template <class Make>
AttentionTrace example(Make make, uint64_t seed) {
  AttentionTrace t;
  for (uint64_t l = 0; l < 2; ++l) {
    t.encoder.push_back(make({kBatch, kHeads, kSource, kSource}, seed + 3 * l));
    t.decoder.push_back(make({kBatch, kHeads, kTarget, kTarget}, seed + 3 * l + 1));
    t.cross.push_back(make({kBatch, kHeads, kTarget, kSource}, seed + 3 * l + 2));
  }
  return t;
}

AttentionTrace weights() { return example(random_weights, 1); }
AttentionTrace gradients() {
  return example([](const Shape& s, uint64_t seed) { return normal(s, seed); }, 100);
}

}  // namespace

TEST_CASE("relevance of an encoder-decoder is that of the equations") {
  const AttentionTrace a = weights(), g = gradients();
  const Relevance found = relevance(a, g);
  for (int64_t b = 0; b < kBatch; ++b) {
    Matrix r_qq = identity(kSource), r_ss = identity(kTarget), r_sq = zero(kTarget, kSource);
    for (size_t l = 0; l < 2; ++l)
      r_qq = total(r_qq, product(positive(a.encoder[l], g.encoder[l], b), r_qq));
    for (size_t l = 0; l < 2; ++l) {
      const Matrix self = positive(a.decoder[l], g.decoder[l], b),
                   cross = positive(a.cross[l], g.cross[l], b);
      r_sq = total(r_sq, product(self, r_sq));
      r_ss = total(r_ss, product(self, r_ss));
      const Matrix n_ss = normalized(r_ss), n_qq = normalized(r_qq);
      r_sq = total(r_sq, product(transposed(n_ss), product(cross, n_qq)));
    }
    check_equal(found.encoder, b, r_qq);
    check_equal(found.decoder, b, r_ss);
    check_equal(found.cross, b, r_sq);
  }
  CHECK(largest_difference(relevance(a.encoder, g.encoder), found.encoder) == 0);
}

TEST_CASE("a sentence's relevance does not depend on who else is in the batch") {
  const auto one = [](AttentionTrace t) {
    for (Tensors* list : {&t.encoder, &t.decoder, &t.cross})
      for (Tensor& x : *list) x = slice(x, 0, 1, 2);
    return t;
  };
  const Relevance all = relevance(weights(), gradients()),
                  second = relevance(one(weights()), one(gradients()));
  CHECK(largest_difference(slice(all.cross, 0, 1, 2), second.cross) < kClose);
}

TEST_CASE("normalizing a relevance leaves a row of nothing as it is") {
  CHECK(largest_difference(normalized_relevance(eye(3, kFloat64)), eye(3, kFloat64)) == 0);
  const Tensor r = tensor({{1.0, 0.0, 0.0}, {1.0, 2.0, 2.0}, {0.0, 0.0, 1.0}}, kFloat64);
  const Tensor expected = tensor({{1.0, 0.0, 0.0}, {0.25, 1.25, 0.5}, {0.0, 0.0, 1.0}}, kFloat64);
  CHECK(largest_difference(normalized_relevance(r), expected) == 0);
  Tensor i = eye(2, kFloat64).set_requires_grad();
  sum(normalized_relevance(i) * normal({2, 2}, 1)).backward();
  CHECK(std::isfinite(sum(i.grad()).item()));
}

TEST_CASE("one layer of linear attention: relevance is what each key adds to the score") {
  // score = sum_i c_i . sum_j A_ij v_j, so that A_ij dA_ij = A_ij c_i . v_j
  const Tensor v = abs(normal({1, 1, kSource, 3}, 3)), c = abs(normal({1, 1, kTarget, 3}, 4));
  AttentionTrace trace;
  trace.decoder = {random_weights({1, 1, kTarget, kTarget}, 1).set_requires_grad()};
  trace.cross = {random_weights({1, 1, kTarget, kSource}, 2).set_requires_grad()};
  const Tensor score = sum(c * matmul(trace.cross[0], v));
  const Relevance found = relevance(trace, attention_gradients(score, trace));
  const Tensor added = trace.cross[0] * matmul(c, transpose(v, -2, -1));
  CHECK(largest_difference(found.cross, select(added, 1, 0)) < kClose);
  CHECK(std::abs(sum(found.cross).item() - score.item()) < kClose);
  CHECK(largest_difference(found.decoder, unsqueeze(eye(kTarget, kFloat64), 0)) == 0);
  CHECK(largest_difference(found.encoder, unsqueeze(eye(kSource, kFloat64), 0)) == 0);
}

TEST_CASE("relevance is differentiable") {
  const auto f = [](const Tensors& in) {
    const Relevance r =
        relevance(AttentionTrace{.encoder = {in[0]}, .decoder = {in[1]}, .cross = {in[2]}},
                  AttentionTrace{.encoder = {in[3]}, .decoder = {in[4]}, .cross = {in[5]}});
    return Tensors{r.encoder, r.decoder, r.cross};
  };
  Tensors at;
  for (uint64_t i = 0; i < 2; ++i)
    for (const Shape& s : {Shape{1, 2, 3, 3}, Shape{1, 2, 2, 2}, Shape{1, 2, 2, 3}})
      at.push_back(i == 0 ? random_weights(s, 5) : normal(s, 6));
  CHECK(gradcheck("relevance", f, at).failure == "");
}

TEST_CASE("the gradients of a Transformer's attention, and its relevance") {
  Transformer model(
      {.layer =
           {.d_model = 8, .nhead = 2, .dim_feedforward = 16, .dropout = 0, .batch_first = true},
       .num_encoder_layers = 1,
       .num_decoder_layers = 2},
      Generator(1));
  AttentionTrace trace;
  const Tensor y =
      model(normal({2, 4, 8}, 1, kFloat32), normal({2, 3, 8}, 2, kFloat32), {.trace = &trace});
  const Tensor score = sum(select(y, 1, 2) * normal({8}, 3, kFloat32));
  const AttentionTrace g = attention_gradients(score, trace, {.retain_graph = true});
  for (Tensor& a : trace.cross) a.retain_grad();
  score.backward();
  REQUIRE(g.encoder.size() == 1);
  REQUIRE(g.decoder.size() == 2);
  for (size_t l = 0; l < 2; ++l) CHECK(largest_difference(g.cross[l], trace.cross[l].grad()) == 0);
  CHECK(relevance(trace, g).cross.shape() == Shape{2, 3, 4});
}

TEST_CASE("relevance says what it expects") {
  AttentionTrace a = weights(), g = gradients();
  g.cross.pop_back();
  CHECK(message_of([&] { relevance(a, g); }) ==
        "relevance: expected gradients of as many layers as there are weights; got 1 and 2");
  CHECK(message_of([] {
          positive_relevance(ones({2, 3, 3}), ones({2, 3, 3}));
        }) ==
        "positive_relevance: expected attention weights per head, floating [B, H, Tq, Tk]; got "
        "float32 [2, 3, 3]");
  CHECK(message_of([] {
          positive_relevance(ones({1, 2, 3, 3}), ones({1, 2, 3, 4}));
        }) ==
        "positive_relevance: weights and gradients must have one shape; got [1, 2, 3, 3] and "
        "[1, 2, 3, 4]");
  CHECK(message_of([] {
          normalized_relevance(ones({2, 3}));
        }) == "normalized_relevance: expected [..., T, T]; got [2, 3]");
}
