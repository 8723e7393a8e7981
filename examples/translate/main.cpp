// From English to German with nothing hidden: a corpus, a vocabulary and a model, the training loop
// written out, then translations. The corpus is the sentences of a small grammar.
//   translate [UPDATES]
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <cstdio>
#include <cstdlib>

using namespace weft;

namespace {

// Some sentences, their translations and how many of the split are exactly right.
void show(TransformerSeq2Seq& model, const Vocabulary& vocabulary, const Split& split) {
  model.eval();  // no dropout
  const std::vector<std::string> found =
      translate_all(model, vocabulary, split.text.source, BeamSearch({.beam = 4, .n_best = 1}));
  model.train();
  for (size_t i = 0; i < 3; ++i)
    std::printf("  %s\n  -> %s\n", split.text.source[i].c_str(), found[i].c_str());
  std::printf("%s: %.1f %% exactly right\n", split.name.c_str(),
              exact_match(found, split.text.target));
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t updates = argc > 1 ? std::atoll(argv[1]) : 4000;

  const Corpus corpus = german_corpus();
  const auto vocabulary = word_vocabulary(corpus.train.text.source, corpus.train.text.target);
  const std::vector<Pair> pairs = encode_pairs(*vocabulary, corpus.train.text);

  Generator generator(1);
  TransformerSeq2Seq model(
      {.vocabulary = vocabulary->size(),
       .transformer = {.layer = {.d_model = 64, .nhead = 4, .dim_feedforward = 128, .dropout = 0},
                       .num_encoder_layers = 2,
                       .num_decoder_layers = 2}},
      generator);
  Adam adam(model.named_parameters(), {.lr = 5e-3, .beta2 = 0.98});
  Schedule schedule(adam, schedules::warmup_decay(800, 1.5));

  int64_t update = 0;
  for (int64_t epoch = 0; update < updates; ++epoch) {
    const int64_t max_tokens = 512, seed = 1;
    for (const Batch& batch : training_batches(pairs, max_tokens, seed, epoch).batches) {
      const PaddedIds source = pad_ids(pairs, batch, &Pair::source);
      const PaddedIds target = pad_ids(pairs, batch, &Pair::target);
      const Tensor loss = model.loss(source, target, /*label_smoothing=*/0.1);
      loss.backward();
      adam.step(clip_factor(grad_norm(adam.parameters()), 1));
      adam.zero_grad();
      schedule.step();
      if (++update % 500 == 0)
        std::printf("update %lld: loss %.3f\n", static_cast<long long>(update), loss.item());
      if (update == updates) break;
    }
  }
  for (const Split& test : corpus.tests) show(model, *vocabulary, test);

  // What the decoder looks at while it writes a translation.
  model.eval();
  std::fputs(
      draw_for_terminal(show_translation(model, *vocabulary, corpus.tests[0].text.source[0]), false)
          .c_str(),
      stdout);
}
