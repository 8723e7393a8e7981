// Ranks that take local steps, as one process may do too; several are in program/ranks.sh.
#include <weft/seq2seq/text/text_file.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <csignal>

using namespace weft;

namespace {

TinySettings settings(int64_t steps, int64_t local_steps, double dropout) {
  TinySettings s{.steps = steps};
  s.change = [=](RunConfig& config) {
    config.train.local_steps = local_steps;
    config.model.dropout = dropout;
  };
  return s;
}

std::vector<double> values(const NamedTensors& parameters) {
  std::vector<double> all;
  for (const NamedTensor& p : parameters)
    for (const double x : p.tensor.to_vector<double>()) all.push_back(x);
  return all;
}

struct Trained {
  std::vector<double> before, after;
  int64_t step = 0;
};

Trained train_from(const std::filesystem::path& dir, const TinySettings& s) {
  const CapturedErrors errors;
  TinyRun run(dir, s);
  Trained trained{values(run.parameters()), {}};
  run.train();
  trained.after = values(run.parameters());
  trained.step = run.position().step;
  return trained;
}

// Of which updates the run wrote lines.
std::vector<int64_t> logged(const std::filesystem::path& dir, const char* key) {
  std::vector<int64_t> steps;
  std::istringstream lines(read_file(dir / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (line.find(key) != std::string::npos)
      steps.push_back(std::stoll(line.substr(line.find(':') + 1)));
  return steps;
}

}  // namespace

// theta - 0.7 (g + 0.9 v) with g = v = theta - theta_4, where four updates alone lead to.
TEST_CASE("local steps: the first outer step is 0.7 x 1.9 of the way of as many updates") {
  const TempDir dir;
  const Trained alone = train_from(dir / "alone", settings(4, 1, 0));
  const Trained outer = train_from(dir / "outer", settings(4, 4, 0));
  CHECK(outer.before == alone.before);
  double furthest = 0, moved = 0;
  for (size_t i = 0; i < alone.after.size(); ++i) {
    const double way = alone.after[i] - alone.before[i];
    moved = std::max(moved, std::abs(way));
    furthest = std::max(furthest, std::abs(outer.after[i] - (alone.before[i] + 0.7 * 1.9 * way)));
  }
  CHECK(moved > 1e-3);
  CHECK(furthest < 1e-6);
}

TEST_CASE("local steps: all else waits for the next meeting") {
  const TempDir dir;
  TinySettings s = settings(6, 4, 0.1);
  const auto change = s.change;
  s.change = [&](RunConfig& config) {
    change(config);
    config.train.validate_every = 3;
    config.train.log_every = 5;
  };
  CHECK(train_from(dir.path(), s).step == 8);
  CHECK(logged(dir.path(), "valid_loss") == std::vector<int64_t>{4, 8});
  CHECK(logged(dir.path(), "learning_rate") == std::vector<int64_t>{8});
}

TEST_CASE("local steps: a run goes on to the same bits, after a signal too") {
  const TempDir dir;
  const TinySettings all = settings(16, 4, 0.1);
  train_tiny(dir / "whole", all);
  train_tiny(dir / "parts", settings(8, 4, 0.1));
  TinySettings rest = all;
  rest.resume = true;
  train_tiny(dir / "parts", rest);
  CHECK(contents(dir / "parts" / "last.safetensors") ==
        contents(dir / "whole" / "last.safetensors"));

  TinySettings signalled = all;
  signalled.lr_factor = [](int64_t update) {
    if (update == 6) std::raise(SIGTERM);
    return 1.;
  };
  TinySettings steady = signalled;
  steady.lr_factor = [](int64_t) { return 1.; };
  {
    const CapturedErrors errors;
    TinyRun run(dir / "signal", signalled);
    CHECK(run.train() == SIGTERM);
    CHECK(run.position().step == 8);
  }
  steady.resume = true;
  train_tiny(dir / "signal", steady);
  steady.resume = false;
  train_tiny(dir / "steady", steady);
  CHECK(contents(dir / "signal" / "last.safetensors") ==
        contents(dir / "steady" / "last.safetensors"));
}

TEST_CASE("local steps: a setting that excludes them is named") {
  TrainConfig config;
  config.local_steps = 8;
  config.shard_optimizer = true;
  CHECK(message_of([&] { validate(config); }) ==
        "train: --local-steps and --shard-optimizer exclude each other: ranks that train alone "
        "have optimizers of their own; got 8 and true");
}
