// Every part of training that a run may be made with: what it does to the run, and that a run which
// goes on is the run that never stopped.
#include <weft/core/parallel.h>
#include <weft/nn/linear.h>
#include <weft/seq2seq/run/schedule_kind.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

using namespace weft;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

using Change = std::function<void(RunConfig&)>;

struct Part {
  const char* name;
  Change change;
};

const std::vector<Part>& parts() {
  static const std::vector<Part> all{
      {"r-drop", [](RunConfig& c) { c.train.r_drop = 1; }},
      {"ema", [](RunConfig& c) { c.train.ema = 0.8; }},
      {"average", [](RunConfig& c) { c.train.average = 2; }},
      {"cosine",
       [](RunConfig& c) {
         c.train.schedule = "cosine";
         c.train.decay_steps = 12;
       }},
      {"plateau",
       [](RunConfig& c) {
         c.train.schedule = "constant";
         c.train.plateau = 1;
       }},
      {"short-first",
       [](RunConfig& c) {
         c.train.curriculum = "short-first";
         c.train.curriculum_steps = 10;
       }},
      {"word-dropout", [](RunConfig& c) { c.train.word_dropout = 0.2; }},
      {"accumulate", [](RunConfig& c) {
         c.train.accumulate = 2;
         c.train.r_drop = 1;
         c.train.word_dropout = 0.2;
         c.train.ema = 0.8;
       }}};
  return all;
}

// The numbers under `key` in the lines of metrics.jsonl that have it.
std::vector<double> logged(const TempDir& dir, const std::string& key) {
  std::istringstream lines(dir.read("metrics.jsonl"));
  std::vector<double> all;
  for (std::string line; std::getline(lines, line);)
    if (const JsonObject fields = parse_json(line); has(fields, key))
      all.push_back(number_at(fields, key));
  return all;
}

NamedTensors tensors(const fs::path& file, const std::string& prefix) {
  return load_safetensors(file.string(), prefix).tensors;
}

}  // namespace

TEST_CASE("parts of training: a run that goes on makes the files of one that never stopped") {
  for (const auto& [name, change] : parts()) {
    INFO(name);
    const TempDir whole, plain, pieces;
    train_tiny(plain.path());
    train_tiny(whole.path(), {.change = change});
    CHECK(contents(whole / kBestCheckpoint) != contents(plain / kBestCheckpoint));
    train_tiny(pieces.path(), {.steps = 8, .change = change});
    train_tiny(pieces.path(), {.resume = true, .change = change});
    CHECK(contents(pieces / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  }
}

TEST_CASE("parts of training: killed between the best checkpoint and the last, a run goes on") {
  for (const auto& [name, change] : parts()) {
    INFO(name);
    const TempDir whole, pieces;
    train_tiny(whole.path(), {.change = change});
    train_tiny(pieces.path(), {.steps = 4, .change = change});
    fs::remove(pieces / kLastCheckpoint);
    train_tiny(pieces.path(), {.resume = true, .change = change});
    CHECK(contents(pieces / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  }
}

TEST_CASE("parts of training: the same bits at any number of threads") {
  const int before = num_threads();
  for (const auto& [name, change] : parts()) {
    INFO(name);
    const TempDir one, two;
    set_num_threads(1);
    train_tiny(one.path(), {.change = change});
    set_num_threads(2);
    train_tiny(two.path(), {.change = change});
    CHECK(contents(one / kLastCheckpoint) == contents(two / kLastCheckpoint));
  }
  set_num_threads(before);
}

TEST_CASE(
    "parts of training: an average is what is validated and kept, and training goes its way") {
  const TempDir plain, averaged;
  train_tiny(plain.path());
  train_tiny(averaged.path(), {.change = [](RunConfig& c) { c.train.average = 3; }});
  // Three validations, of which the mean of all is the last one's model; the run itself is the
  // same.
  const auto same = [](const NamedTensors& a, const NamedTensors& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
      return x.name == y.name &&
             x.tensor.template to_vector<double>() == y.tensor.template to_vector<double>();
    });
  };
  CHECK(same(tensors(plain / kLastCheckpoint, "model."),
             tensors(averaged / kLastCheckpoint, "model.")));
  CHECK(logged(plain, "gradient_norm") == logged(averaged, "gradient_norm"));
  CHECK_NOTHROW(load_model(averaged.path()));
  const std::vector<double> losses = logged(averaged, "valid_loss"),
                            raw = logged(plain, "valid_loss");
  REQUIRE(losses.size() == 3);
  CHECK(losses[0] == raw[0]);
  CHECK(losses[1] != raw[1]);
  const TempDir both;
  RunConfig config;
  config.train.ema = 0.9;
  config.train.average = 2;
  CHECK(message_of([&] { validate(config.train); }) ==
        "train: --ema and --average exclude each other; got 0.9 and 2");
}

TEST_CASE("parts of training: what is frozen stays, with and without parts of an update") {
  for (const int64_t accumulate : {1, 2}) {
    const TempDir early, late;
    const auto change = [&](RunConfig& c) {
      c.train.freeze = "transformer.encoder.,embedding";
      c.train.accumulate = accumulate;
      c.train.ema = 0.9;
    };
    train_tiny(early.path(), {.steps = 1, .change = change});
    train_tiny(late.path(), {.steps = 4, .change = change});
    train_tiny(late.path(), {.resume = true, .change = change});
    const NamedTensors before = tensors(early / kLastCheckpoint, "model."),
                       after = tensors(late / kLastCheckpoint, "model.");
    REQUIRE(before.size() == after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      INFO(before[i].name);
      const bool frozen = before[i].name.starts_with("transformer.encoder.") ||
                          before[i].name == "embedding.weight";
      CHECK((before[i].tensor.to_vector<double>() == after[i].tensor.to_vector<double>()) ==
            frozen);
    }
  }
}

TEST_CASE("parts of training: a program says which pairs are learnt from when") {
  std::vector<int64_t> asked;
  // Two pairs four times each, then four others, then all.
  const Curriculum curriculum = [&](std::span<const Pair> pairs, int64_t step) {
    REQUIRE(pairs.size() == 20);
    asked.push_back(step);
    if (step == 0) return std::vector<int64_t>{3, 7, 3, 7, 7, 3, 7, 3};
    std::vector<int64_t> places(step < 3 ? 4 : 20);
    std::iota(places.begin(), places.end(), 0);
    return places;
  };
  const auto change = [](RunConfig& c) { c.train.accumulate = 2; };
  const TempDir plain, whole, pieces;
  train_tiny(plain.path(), {.steps = 7, .change = change});
  train_tiny(whole.path(), {.steps = 7, .curriculum = curriculum, .change = change});
  // A batch holds four pairs: passes of two, one and five batches, two to an update.
  CHECK(asked == std::vector<int64_t>{0, 1, 2, 3, 6});
  CHECK(contents(whole / kLastCheckpoint) != contents(plain / kLastCheckpoint));
  asked.clear();
  train_tiny(pieces.path(), {.steps = 5, .curriculum = curriculum, .change = change});
  train_tiny(pieces.path(),
             {.steps = 7, .resume = true, .curriculum = curriculum, .change = change});
  CHECK(asked == std::vector<int64_t>{0, 1, 2, 3, 3, 6});  // the fourth pass goes on
  CHECK(contents(pieces / kLastCheckpoint) == contents(whole / kLastCheckpoint));
}

TEST_CASE("parts of training: a curriculum must name pairs that there are, and that fit") {
  const TempDir dir;
  const auto said = [&](const std::vector<int64_t>& places) {
    return message_of([&] {
      train_tiny(dir / std::to_string(places.size()),
                 {.curriculum = [&](std::span<const Pair>, int64_t) { return places; }});
    });
  };
  CHECK(said({}) ==
        "train: the curriculum must admit a pair that fits into --max-tokens 16; at step 0 it gave "
        "0 pairs");
  CHECK(said({0, 20}) == "training_batches: a pair's place must be in [0, 20); got 20");
  CHECK(said({-1}) == "training_batches: a pair's place must be in [0, 20); got -1");
}

TEST_CASE("parts of training: freezing says what it does not find") {
  Linear layer(2, 2, Generator(1));
  CHECK(message_of([&] { freeze(layer, "weight,"); }).empty());
  CHECK_FALSE(layer.weight.requires_grad());
  CHECK(layer.bias.requires_grad());
  CHECK(message_of([&] { freeze(layer, "wight"); }) ==
        "freeze: no parameter's name begins with 'wight'");
  CHECK(message_of([&] { freeze(layer, "bias"); }) == "freeze: bias leaves nothing to train");
}

TEST_CASE("parts of training: the learning rate is halved where scores do not get better") {
  const TempDir dir;
  const auto change = [](RunConfig& c) {
    c.train.schedule = "constant";
    c.train.warmup = 1;
    c.train.plateau = 1;
    c.train.log_every = 1;
  };
  // Nothing is learnt at so small a rate: every validation but the first is one without.
  const std::string said = train_tiny(dir.path(), {.learning_rate = 1e-12, .change = change});
  const std::vector<double> rates = logged(dir, "learning_rate");
  REQUIRE(rates.size() == 12);
  const double halvings = std::log2(1e-12 / rates[11]);
  CHECK(rates[0] == Approx(1e-12).epsilon(1e-12));
  CHECK(halvings == Approx(std::round(halvings)).margin(1e-9));
  CHECK(std::count(said.begin(), said.end(), '\n') > 0);
  if (halvings > 0) CHECK_THAT(said, Contains("the learning rate is halved"));
}

TEST_CASE("parts of training: schedules by name rise in warm-up, and fall as they say") {
  TrainConfig c;
  c.warmup = 4;
  c.decay_steps = 12;
  const auto rate = [&](const char* name, int64_t step) {
    c.schedule = name;
    return find_named(builtin_schedules(), name, "schedule").make(c)(step);
  };
  for (const ScheduleKind& kind : builtin_schedules()) {
    INFO(kind.name);
    for (int64_t step = 0; step < 4; ++step)
      CHECK(rate(kind.name.c_str(), step) == Approx(static_cast<double>(step + 1) / 4));
  }
  for (int64_t step = 0; step < 40; ++step)
    CHECK(rate("inverse-square-root", step) == schedules::warmup_decay(4, 0.5)(step));
  CHECK(rate("cosine", 7) == Approx(0.5));
  CHECK(rate("linear", 5) == Approx(0.75));
  for (const char* name : {"cosine", "linear"}) {
    CHECK(rate(name, 11) == Approx(0).margin(1e-15));
    CHECK(rate(name, 100) == Approx(0).margin(1e-15));
  }
  CHECK(rate("constant", 100) == 1);
  CHECK(rate("plateau", 100) == 1);
  c.decay_steps = 0;
  CHECK(message_of([&] { rate("cosine", 0); }) ==
        "schedule: cosine needs --decay-steps or --steps, at which the rate is 0");
  c.steps = 3;
  CHECK(message_of([&] { rate("linear", 0); }) ==
        "schedule: linear must fall after the warm-up of 4 updates; got 3 in all");
}

TEST_CASE("parts of training: settings that older files do not know have their defaults there") {
  const Settings now =
      run_settings(RunConfig(), tiny_corpus().train.text, tiny_corpus().valid.text);
  Metadata old = to_metadata({.step = 7}, now, "00ff");
  for (const char* name :
       {"r-drop", "ema", "average", "schedule", "decay-steps", "plateau", "word-dropout",
        "subword-dropout", "freeze", "curriculum", "curriculum-steps", "qk-norm"})
    REQUIRE(old.erase("setting." + std::string(name)) == 1);
  old.erase("plateaus");
  CHECK(position_from(old, now, "last").step == 7);
  RunConfig other;
  other.train.ema = 0.9;
  CHECK(message_of([&] {
          position_from(
              old, run_settings(other, tiny_corpus().train.text, tiny_corpus().valid.text), "last");
        }) == "train: --resume needs the run's --ema 0; got 0.9");
}
