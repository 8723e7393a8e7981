// When a run ends by --patience, and which model it keeps, whatever it is judged by.
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <limits>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

// A metric that gives these scores, one after another.
class Scripted {
 public:
  Scripted(std::vector<double> scores, bool higher_is_better)
      : scores_(std::move(scores)),
        metric_{"mine", "my score", higher_is_better, [this](auto, auto) {
                  REQUIRE(next_ < scores_.size());
                  return scores_[next_++];
                }} {}
  Scripted(const Scripted&) = delete;
  Scripted& operator=(const Scripted&) = delete;
  const Metric* metric() const { return &metric_; }
  size_t asked() const { return next_; }

 private:
  std::vector<double> scores_;
  size_t next_ = 0;
  Metric metric_;
};

struct Case {
  const char* name;
  int64_t patience;
  bool higher_is_better;
  std::vector<double> scores;  // at steps 4, 8, ...: as many as the run asks for
  int64_t best_step;
};

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"higher is better", 2, true, {10, 20, 15, 19}, 8},
      {"a better one begins the count anew", 2, true, {10, 5, 20, 15, 30, 1, 2}, 20},
      {"lower is better", 2, false, {50, 40, 45, 44}, 8},
      {"lower is better, below 0 too", 3, false, {1, -2, -1, 5, 7}, 8},
      {"equal is not better", 3, true, {10, 10, 10, 10}, 4},
      {"the first patience", 1, true, {10, 9}, 4},
      {"perfect at once, the more the better", 2, true, {100, 100, 100}, 4},
      {"perfect at once, the less the better", 2, false, {0, 0, 0}, 4},
      {"a score that is none is the worst", 2, true, {kNone, kNone, 5, kNone, 4}, 12},
      {"and for errors as well", 2, false, {kNone, 90, 95, kNone}, 8},
  };
  return all;
}

// Nothing is learnt, so that losses are equal.
TinySettings settings(const Case& c, const Scripted& scripted) {
  return {.steps = 100,
          .learning_rate = 1e-30,
          .metric = scripted.metric(),
          .change = [patience = c.patience](RunConfig& r) { r.train.patience = patience; }};
}

}  // namespace

TEST_CASE("early stopping: after so many validations without a better score, by any metric") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TempDir dir;
    const Scripted scripted(c.scores, c.higher_is_better);
    const CapturedErrors errors;
    TinyRun run(dir.path(), settings(c, scripted));
    run.train();
    CHECK(scripted.asked() == c.scores.size());
    CHECK(run.position().step == 4 * std::ssize(c.scores));
    CHECK(run.position().best_step == c.best_step);
    CHECK_THAT(errors.text(), Contains("validations in a row without a better score (--patience " +
                                       std::to_string(c.patience) + ")"));
    const auto best = load_safetensors((dir / kBestCheckpoint).string()).metadata;
    CHECK(best.at("progress.step") == std::to_string(c.best_step));
  }
}

TEST_CASE("early stopping: the count goes on where a run does") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TempDir dir;
    const CapturedErrors errors;
    const size_t before = c.scores.size() - 1;
    const Scripted first({c.scores.begin(), c.scores.end() - 1}, c.higher_is_better),
        rest({c.scores.back()}, c.higher_is_better);
    TinySettings s = settings(c, first);
    s.steps = 4 * static_cast<int64_t>(before);
    TinyRun(dir.path(), s).train();
    s = settings(c, rest);
    s.resume = true;
    TinyRun run(dir.path(), s);
    run.train();
    CHECK(rest.asked() == 1);
    CHECK(run.position().step == 4 * std::ssize(c.scores));
    CHECK(run.position().best_step == c.best_step);
  }
}

TEST_CASE("early stopping: between equal scores a lower loss counts, unless they are perfect") {
  for (const bool perfect : {false, true}) {
    const TempDir dir;
    const Scripted scripted(std::vector<double>(5, perfect ? 100 : 50), true);
    const CapturedErrors errors;
    TinyRun run(dir.path(), {.steps = 20, .metric = scripted.metric(), .change = [](RunConfig& r) {
                               r.train.patience = 2;
                             }});
    run.train();
    // The loss falls all the way.
    CHECK(run.position().step == (perfect ? 12 : 20));
    CHECK(run.position().best_step == run.position().step);
  }
}
