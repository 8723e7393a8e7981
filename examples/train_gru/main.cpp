// Trains a GRU with attention to reverse words, with weft's trainer: checkpoints, validation and
// progress included.
//   train_gru DIRECTORY [UPDATES]
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <cstdio>
#include <cstdlib>

using namespace weft;

int main(int argc, char** argv) {
  const Corpus corpus = find_named(builtin_tasks(), "reverse", "task").corpus();
  const auto vocabulary = character_vocabulary(corpus.train.text.source, corpus.train.text.target);

  RunConfig config;
  config.train.model_dir = argc > 1 ? argv[1] : "gru";
  config.train.steps = argc > 2 ? std::atoll(argv[2]) : 3000;
  config.train.max_tokens = 512;
  config.train.warmup = 200;
  config.train.clip = 1;
  RunDirectory directory(config.train.directory());
  directory.begin(/*replace_model=*/true);

  Generator generator(1);
  RecurrentSeq2Seq model({.vocabulary = vocabulary->size(), .d_model = 64}, generator);
  Adam adam(model.named_parameters(), {.lr = 5e-3, .beta2 = 0.98});
  Trainer trainer(config, {.model = model,
                           .optimizer = adam,
                           .generator = generator,
                           .vocabulary = *vocabulary,
                           .corpus = corpus,
                           .metric = find_named(builtin_metrics(), "exact", "metric"),
                           .directory = directory});
  trainer.run();

  model.eval();
  const ParallelText& test = corpus.tests[0].text;
  const std::vector<std::string> answers = translate_all(model, *vocabulary, test.source);
  std::printf("%s -> %s\n%.1f %% of %zu exactly right\n", test.source[0].c_str(),
              answers[0].c_str(), exact_match(answers, test.target), answers.size());
}
