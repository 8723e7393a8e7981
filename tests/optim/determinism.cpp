// Training computes the same bits at any number of threads.
#include <weft/core/parallel.h>
#include <weft/optim/adam.h>
#include <weft/optim/clip.h>
#include <weft/tests/catch.h>
#include <weft/tests/optim/translator.h>

#include <cstring>
#include <thread>
#include <vector>

using namespace weft;

namespace {

constexpr int64_t kVocab = 300, kLongest = 24;

TransformerOptions options(bool norm_first) {
  return {.layer = {.d_model = 64,
                    .nhead = 4,
                    .dim_feedforward = 160,
                    .dropout = 0.1,
                    .batch_first = true,
                    .norm_first = norm_first},
          .num_encoder_layers = 1,
          .num_decoder_layers = 1};
}

// Rows of random tokens out of the first few, which can be learned; some are padded at their end.
Tensor sentences(int64_t rows, int64_t length, Generator& gen) {
  Tensor ids = randint(20, {rows, length}, gen) + 1;
  int64_t* id = ids.mutable_data<int64_t>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t t = length - row % 4; t < length; ++t) id[row * length + t] = kPad;
  return ids;
}

// All weights, bit for bit, and the losses after 20 steps.
std::vector<float> train(bool norm_first, uint64_t seed = 5) {
  Generator gen(seed), data(seed + 1);
  Translator model(options(norm_first), kVocab, kVocab, randn({kLongest, 64}, gen), gen);
  Adam adam(model.named_parameters(), {.lr = 3e-3, .beta2 = 0.98});
  std::vector<float> result;
  for (int step = 0; step < 20; ++step) {
    const Tensor src = sentences(16, 17 + step % 8, data), tgt = sentences(16, 15 + step % 5, data);
    const Tensor hidden = model(src, slice(tgt, 1, 0, -1));
    const Tensor loss = linear_cross_entropy(hidden, model.output.weight, model.output.bias,
                                             contiguous(slice(tgt, 1, 1)), {.ignore_index = kPad});
    loss.backward();
    clip_grad_norm(model.parameters(), 1);
    adam.step();
    adam.zero_grad();
    result.push_back(loss.item<float>());
  }
  for (const Tensor& p : model.parameters())
    for (float w : p.to_vector<float>()) result.push_back(w);
  return result;
}

std::vector<float> train_on(int threads, bool norm_first) {
  set_num_threads(threads);
  return train(norm_first);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("20 training steps give the same bits at 1, 2 and 3 threads") {
  const int before = num_threads();
  const bool norm_first = GENERATE(false, true);
  const std::vector<float> alone = train_on(1, norm_first);
  CHECK(alone[19] < alone[0] - 0.5f);
  CHECK(same_bits(train_on(2, norm_first), alone));
  CHECK(same_bits(train_on(3, norm_first), alone));
  set_num_threads(before);
}

TEST_CASE("two threads train two models at once and get the bits that each gets alone") {
  const int before = num_threads();
  set_num_threads(2);  // both want the pool
  const std::vector<float> first = train(false, 5), second = train(true, 7);
  std::vector<float> first_again, second_again;
  std::thread other([&] { second_again = train(true, 7); });
  first_again = train(false, 5);
  other.join();
  CHECK(same_bits(first_again, first));
  CHECK(same_bits(second_again, second));
  CHECK_FALSE(same_bits(first, second));
  set_num_threads(before);
}
