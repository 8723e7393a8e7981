// What disturbs a run, and what becomes of it. The runs are so small that they can be interrupted
// at any of their ops.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/observer.h>
#include <weft/autograd/ops.h>
#include <weft/optim/adam.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/training/trainer.h>
#include <weft/tests/catch.h>
#include <weft/tests/sanitized.h>
#include <weft/tests/temp_dir.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <functional>
#include <limits>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

Corpus numbers() {
  Corpus corpus;
  for (int i = 10; i < 34; ++i) {
    corpus.train.text.source.push_back(std::to_string(i));
    corpus.train.text.target.push_back(std::to_string(i + 1));
  }
  corpus.valid.text = {{"45", "56", "67"}, {"46", "57", "68"}};
  return corpus;
}

// A model whose loss may be replaced, from outside.
class Disturbed : public Layer<Disturbed, Seq2SeqModel> {
 public:
  Disturbed(const TransformerSeq2SeqOptions& options, Generator generator)
      : model_(child<TransformerSeq2Seq>("inner", options, generator)) {}

  Tensor forward(const PaddedIds& source, const PaddedIds& target) {
    return model_.loss(source, target, 0);
  }
  Tensor loss(const PaddedIds& source, const PaddedIds& target, double) override {
    const Tensor right = (*this)(source, target);
    return disturb ? disturb(right) : right;
  }
  std::unique_ptr<Decoding> start(const PaddedIds& source) override { return model_.start(source); }
  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target, Tensor* loss) override {
    return model_.trace(source, target, loss);
  }

  std::function<Tensor(const Tensor&)> disturb;

 private:
  TransformerSeq2Seq& model_;
};

// A run of 8 updates, of two batches each, with validations among them.
struct Run {
  explicit Run(const std::filesystem::path& directory) {
    config.train.model_dir = directory.string();
    config.train.steps = 8;
    config.train.validate_every = 3;
    config.train.log_every = 1;
    config.train.accumulate = 2;
    config.train.max_tokens = 16;
    config.train.warmup = 5;
  }

  bool go() {
    RunDirectory directory(config.train.directory());
    if (!config.train.resume) directory.begin(/*replace_model=*/true);
    Trainer trainer(config, {.model = model,
                             .optimizer = adam,
                             .generator = generator,
                             .vocabulary = *vocabulary,
                             .corpus = corpus,
                             .metric = find_named(builtin_metrics(), "exact", "metric"),
                             .directory = directory});
    return trainer.run() == 0;
  }

  RunConfig config;
  Corpus corpus = numbers();
  std::unique_ptr<Vocabulary> vocabulary =
      character_vocabulary(corpus.train.text.source, corpus.train.text.target);
  Generator generator{1};
  Disturbed model{
      {.vocabulary = vocabulary->size(),
       .transformer = {.layer = {.d_model = 8, .nhead = 2, .dim_feedforward = 8, .dropout = 0.1},
                       .num_encoder_layers = 1,
                       .num_decoder_layers = 1}},
      generator};
  Adam adam{model.named_parameters(), {.lr = 5e-3}};
};

// Calls `act` when so many ops and vjps have run.
class AtOp : public Observer {
 public:
  AtOp(int64_t at, std::function<void()> act) : at_(at), act_(std::move(act)) {}
  void op_ran(const Op&, std::span<const Tensor>, std::span<const Tensor>) override { count(); }
  void vjp_begins(const Node&, std::span<const Tensor>) override { count(); }
  int64_t ran() const { return ran_; }

 private:
  void count() {
    if (++ran_ == at_) act_();
  }
  int64_t at_, ran_ = 0;
  std::function<void()> act_;
};

// The tensors of a checkpoint, as bits.
std::vector<std::vector<double>> weights(const std::filesystem::path& file) {
  std::vector<std::vector<double>> all;
  for (const NamedTensor& t : load_safetensors(file.string()).tensors)
    all.push_back(t.tensor.to_vector<double>());
  return all;
}

std::string lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string kept;
  for (std::string line; std::getline(in, line);) kept += line.substr(0, line.find(',')) + "\n";
  return kept;
}

}  // namespace

TEST_CASE("trainer: a run that is interrupted at any op goes on to the same weights") {
  const TempDir dir;
  Run unbroken(dir / "unbroken");
  int64_t ops = 0;
  {
    const AtOp counter(0, [] {});
    REQUIRE(unbroken.go());
    ops = counter.ran();
  }
  REQUIRE(ops > 500);
  for (int64_t at = 1; at < ops; at += kSanitized ? 149 : 37) {
    INFO("op " << at << " of " << ops);
    const auto folder = dir / std::to_string(at);
    Run first(folder);
    {
      const AtOp signal(at, [] { std::raise(SIGTERM); });
      REQUIRE_FALSE(first.go());
    }
    Run second(folder);
    second.generator.next();  // what it was before is of no account
    second.config.train.resume = true;
    REQUIRE(second.go());
    for (const char* name : {"last.safetensors", "best.safetensors"})
      REQUIRE(weights(folder / name) == weights(dir / "unbroken" / name));
    REQUIRE(lines_of(folder / "metrics.jsonl") == lines_of(dir / "unbroken" / "metrics.jsonl"));
  }
}

TEST_CASE("trainer: saves come between validations, by updates and by time") {
  const TempDir dir;
  Run run(dir / "m");
  const auto last = run.config.train.directory() / "last.safetensors";
  std::vector<bool> saved;
  run.config.train.validate_every = 100;
  run.config.train.save_every = 4;
  // Each update calls the loss twice. What step 4 made is saved once update 5 has its gradients.
  run.model.disturb = [&](const Tensor& loss) {
    saved.push_back(std::filesystem::exists(last));
    return loss;
  };
  REQUIRE(run.go());
  const auto first = std::find(saved.begin(), saved.end(), true);
  CHECK(first - saved.begin() == 10);
}

TEST_CASE("trainer: what a save between validations holds is what a run goes on from") {
  const TempDir dir;
  Run unbroken(dir / "unbroken");
  REQUIRE(unbroken.go());
  Run killed(dir / "m");
  killed.config.train.save_every = 5;
  int calls = 0;
  killed.model.disturb = [&](const Tensor& loss) {
    if (++calls > 13) throw std::runtime_error("as if it was killed");
    return loss;
  };
  CHECK_THROWS_AS(killed.go(), std::runtime_error);
  Run second(dir / "m");
  second.config.train.resume = true;
  REQUIRE(second.go());
  CHECK(weights(dir / "m" / "last.safetensors") == weights(dir / "unbroken" / "last.safetensors"));
}

TEST_CASE("trainer: a run that diverges stops, says where, and keeps the last good weights") {
  const TempDir dir;
  struct Case {
    std::function<Tensor(const Tensor&)> disturb;
    const char* said;
  };
  for (const Case& c : {Case{[](const Tensor& loss) { return log(loss - 1e3); },
                             "the loss is nan; log: the result must be finite; got nan"},
                        Case{[](const Tensor& loss) { return loss * 1e10; },
                             "where guessing costs 2.64; the largest result is"}}) {
    Run run(dir / "m");
    int calls = 0;
    run.model.disturb = [&](const Tensor& loss) {
      return ++calls > 10 && grad_enabled() ? c.disturb(loss) : loss;
    };
    const std::string message = message_of([&] { run.go(); });
    CHECK_THAT(message,
               Contains("train: diverged at step 5: the loss is ") && Contains(c.said) &&
                   Contains("the weights of step 3 are saved") &&
                   Contains("go on with --resume and a lower --lr than 0.005, or begin anew "
                            "with --clip 1"));
    for (const auto& tensor : weights(dir / "m" / "last.safetensors"))
      for (const double value : tensor) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("trainer: bad updates are skipped and counted, if that is asked for") {
  const TempDir dir;
  Run run(dir / "m");
  run.config.train.on_divergence = "skip";
  int updates = 0;
  run.model.disturb = [&](const Tensor& loss) {
    if (!grad_enabled()) return loss;
    const int step = ++updates / 2;  // the first bad one is computed twice
    return step == 4 ? loss * std::numeric_limits<double>::infinity() : loss;
  };
  REQUIRE(run.go());
  for (const Tensor& p : run.model.parameters())
    for (const double value : p.to_vector<double>()) REQUIRE(std::isfinite(value));
  CHECK_THAT(dir.read("m/metrics.jsonl"), Contains("\"skipped\":1}"));
}

TEST_CASE("trainer: a run whose every update is bad stops all the same") {
  const TempDir dir;
  Run run(dir / "m");
  run.config.train.on_divergence = "skip";
  run.config.train.steps = 1000;
  run.config.train.patience = 1000;
  run.model.disturb = [](const Tensor& loss) {
    return grad_enabled() ? loss * std::numeric_limits<double>::infinity() : loss;
  };
  CHECK_THAT(message_of([&] { run.go(); }),
             Contains("train: diverged at step 51 after 50 skipped ones: the loss is inf; "));
}

TEST_CASE("trainer: weights that make no sense of the validation set are not saved") {
  const TempDir dir;
  Run run(dir / "m");
  run.model.disturb = [](const Tensor& loss) {
    return grad_enabled() ? loss : loss * std::numeric_limits<double>::infinity();
  };
  CHECK_THAT(
      message_of([&] { run.go(); }),
      Contains("train: diverged at step 3: in validation the loss is inf; nothing is saved"));
  CHECK_FALSE(std::filesystem::exists(dir / "m" / "best.safetensors"));
}
