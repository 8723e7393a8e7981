// A training loop of fixed shapes takes its memory in the first two steps, at any number of
// threads.
#include <weft/core/allocator.h>
#include <weft/core/parallel.h>
#include <weft/optim/adam.h>
#include <weft/optim/clip.h>
#include <weft/tests/catch.h>
#include <weft/tests/optim/translator.h>

using namespace weft;

TEST_CASE("from the third step on no memory comes from the system") {
  const int threads = num_threads();
  set_num_threads(GENERATE(1, 2, 3));
  const bool norm_first = GENERATE(false, true);
  Generator gen(5);
  Translator model({.layer = {.d_model = 64,
                              .nhead = 4,
                              .dim_feedforward = 160,
                              .activation = norm_first ? FeedForwardActivation::gelu
                                                       : FeedForwardActivation::relu,
                              .batch_first = true,
                              .norm_first = norm_first},
                    .num_encoder_layers = 2,
                    .num_decoder_layers = 2},
                   300, 300, randn({24, 64}, gen), gen);
  Adam adam(model.named_parameters());
  const Tensor src = randint(299, {16, 20}, gen) + 1, tgt = randint(299, {16, 18}, gen) + 1;
  const Tensor next = randint(300, {16, 18}, gen);
  std::vector<uint64_t> from_system;
  for (int step = 0; step < 6; ++step) {
    linear_cross_entropy(model(src, tgt), model.output.weight, model.output.bias, next).backward();
    clip_grad_norm(model.parameters(), 0.1);
    adam.step(clip_factor(grad_norm(adam.parameters()), 0.05));
    adam.zero_grad();
    from_system.push_back(allocator_stats().system_calls);
  }
  for (size_t step = 2; step < from_system.size(); ++step)
    CHECK(from_system[step] == from_system[1]);
  set_num_threads(threads);
}
