// `weft leaderboard`: which models learn which tasks, how surely and how soon.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/leaderboard_table.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/training/progress.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace weft {
namespace {

constexpr const char* kBarMetric = "exact";

// Those that a list of names, with commas between them, means, each once.
template <class Item>
std::vector<const Item*> choose_named(const std::vector<Item>& items,
                                      const Setting<std::string>& names) {
  std::vector<const Item*> chosen;
  std::istringstream in(names.value());
  for (std::string name; std::getline(in, name, ',');) {
    const Item* item = &find_named(items, name, names.info().name);
    if (std::find(chosen.begin(), chosen.end(), item) == chosen.end()) chosen.push_back(item);
  }
  check(!chosen.empty(), "leaderboard: --{} names none", names.info().name);
  return chosen;
}

struct PlannedRun {
  const Task* task;
  const ModelKind* model;
  int64_t seed;

  std::string name() const { return fmt::format("{}, {}, seed {}", task->name, model->name, seed); }
};

// How long the runs to come will take: each as long as the last of its task and model, else the
// mean of all so far.
class Forecast {
 public:
  void note(const PlannedRun& entry, double seconds) {
    took_[{entry.task, entry.model}] = seconds;
    sum_ += seconds;
    ++count_;
  }
  double seconds(std::span<const PlannedRun> left) const {
    double total = 0;
    for (const PlannedRun& entry : left) {
      const auto found = took_.find({entry.task, entry.model});
      total += found != took_.end() ? found->second : sum_ / count_;
    }
    return total;
  }

 private:
  std::map<std::pair<const Task*, const ModelKind*>, double> took_;
  double sum_ = 0, count_ = 0;
};

class Leaderboard {
 public:
  Leaderboard(const LeaderboardOptions& options, const Catalog& catalog)
      : options_(options), catalog_(catalog), folder_(options.out.value()), table_(folder_) {
    const auto tasks = choose_named(catalog.tasks, options.tasks);
    const auto models = choose_named(catalog.models, options.models);
    for (int64_t seed = 1; seed <= options.seeds; ++seed)
      for (const Task* task : tasks)
        for (const ModelKind* model : models)
          if (!table_.has(task->name, model->name, seed)) left_.push_back({task, model, seed});
  }

  // The signal's status where one interrupts it.
  int run() {
    const size_t count = left_.size();
    Forecast forecast;
    for (size_t i = 0; i < count; ++i) {
      const Stopwatch watch;
      warn(fmt::format("run {} of {}: {}", i + 1, count, left_[i].name()));
      if (const int status = train(left_[i])) return status;
      const LeaderboardRun run = result(left_[i]);
      table_.add(run);
      forecast.note(left_[i], watch.seconds());
      warn(fmt::format("{}: exact match {:.2f} %, {}; {} runs left, ETA {}", left_[i].name(),
                       run.exact_match, outcome(run), count - i - 1,
                       format_seconds(forecast.seconds(std::span(left_).subspan(i + 1)))));
    }
    print(table_.table());
    return 0;
  }

 private:
  static std::string outcome(const LeaderboardRun& run) {
    if (run.bar_updates == 0) return fmt::format("validation never met {:g} %", run.bar);
    return fmt::format("{} after {} updates, {:.1f} s", run.learned() ? "learned" : "validation",
                       run.bar_updates, run.bar_seconds);
  }

  std::filesystem::path folder_of(const PlannedRun& entry) const {
    return folder_ / fmt::format("{}-{}-{}", entry.task->name, entry.model->name, entry.seed);
  }

  // As `weft train` does; goes on where an earlier call was interrupted.
  int train(const PlannedRun& entry) const {
    RunConfig config;
    config.train.model_dir.give(folder_of(entry).string());
    config.train.threads.give(options_.threads.text());
    if (std::filesystem::exists(folder_of(entry) / kLastCheckpoint)) {
      config.train.resume.give("true");
    } else {
      config.train.overwrite.give("true");
      config.train.task.give(entry.task->name);
      config.train.metric.give(kBarMetric);
      config.train.seed.give(std::to_string(entry.seed));
      config.model.model.give(entry.model->name);
    }
    return train_command(config, catalog_, one_rank(), [](const std::string&) {});
  }

  LeaderboardRun result(const PlannedRun& entry) const {
    const JsonObject summary = parse_json(read_file(folder_of(entry) / kSummary));
    LeaderboardRun run{.task = entry.task->name,
                       .model = entry.model->name,
                       .seed = entry.seed,
                       .parameters = integer_at(summary, "parameters"),
                       .updates = integer_at(summary, "steps"),
                       .seconds = number_at(summary, "seconds"),
                       .bar = entry.task->bar,
                       .exact_match = 100 * number_at(summary, "exact_match")};
    for (const std::string& line : read_lines(folder_of(entry) / kMetrics)) {
      const JsonObject o = parse_json(line);
      const auto score = std::find_if(o.begin(), o.end(),
                                      [](const auto& item) { return item.first == kBarMetric; });
      if (score == o.end() || number_at(o, kBarMetric) < run.bar) continue;
      run.bar_updates = integer_at(o, "step");
      run.bar_seconds = number_at(o, "seconds");
      break;
    }
    return run;
  }

  const LeaderboardOptions& options_;
  const Catalog& catalog_;
  std::filesystem::path folder_;
  LeaderboardTable table_;
  std::vector<PlannedRun> left_;
};

}  // namespace

int leaderboard_command(const LeaderboardOptions& options, const Catalog& catalog) {
  check(started_ranks() == 1, "leaderboard: runs in one process; got {}", started_ranks());
  return Leaderboard(options, catalog).run();
}

}  // namespace weft
