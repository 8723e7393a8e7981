#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/leaderboard_table.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace weft {
namespace {

std::filesystem::path file_of_runs(const std::filesystem::path& folder) {
  return folder / "leaderboard.jsonl";
}

std::string to_run_line(const LeaderboardRun& run) {
  return to_json_line({{"task", run.task},
                       {"model", run.model},
                       {"seed", run.seed},
                       {"parameters", run.parameters},
                       {"updates", run.updates},
                       {"seconds", run.seconds},
                       {"bar", run.bar},
                       {"exact_match", run.exact_match},
                       {"bar_updates", run.bar_updates},
                       {"bar_seconds", run.bar_seconds}}) +
         "\n";
}

LeaderboardRun from_run_line(const std::string& line) {
  const JsonObject o = parse_json(line);
  return {.task = string_at(o, "task"),
          .model = string_at(o, "model"),
          .seed = integer_at(o, "seed"),
          .parameters = integer_at(o, "parameters"),
          .updates = integer_at(o, "updates"),
          .seconds = number_at(o, "seconds"),
          .bar = number_at(o, "bar"),
          .exact_match = number_at(o, "exact_match"),
          .bar_updates = integer_at(o, "bar_updates"),
          .bar_seconds = number_at(o, "bar_seconds")};
}

// One task by one model; there is at least one run.
struct LeaderboardRow {
  std::vector<LeaderboardRun> runs;

  int64_t learned() const {
    return std::count_if(runs.begin(), runs.end(),
                         [](const LeaderboardRun& r) { return r.learned(); });
  }
  double share() const { return static_cast<double>(learned()) / static_cast<double>(runs.size()); }

  // From the least to the largest.
  std::vector<double> matches() const {
    std::vector<double> all;
    for (const LeaderboardRun& run : runs) all.push_back(run.exact_match);
    std::sort(all.begin(), all.end());
    return all;
  }
  double mean_match() const {
    const std::vector<double> all = matches();
    return std::accumulate(all.begin(), all.end(), 0.) / static_cast<double>(all.size());
  }

  // Of the runs that learned, as text; "-" if none did.
  template <class Number>
  std::string median(Number LeaderboardRun::*number, const char* format) const {
    std::vector<double> all;
    for (const LeaderboardRun& run : runs)
      if (run.learned()) all.push_back(static_cast<double>(run.*number));
    if (all.empty()) return "-";
    std::sort(all.begin(), all.end());
    const double middle = (all[(all.size() - 1) / 2] + all[all.size() / 2]) / 2;
    return fmt::format(fmt::runtime(format), middle);
  }

  std::string to_markdown() const {
    const std::vector<double> all = matches();
    const std::string ends =
        all.size() > 1 ? fmt::format(" ({:.2f} to {:.2f})", all.front(), all.back()) : "";
    return fmt::format("| {} | {} | {} | {} of {} | {:.2f}{} | {} | {} |\n", runs[0].task,
                       runs[0].model, runs[0].parameters, learned(), runs.size(), mean_match(),
                       ends, median(&LeaderboardRun::bar_updates, "{:.0f}"),
                       median(&LeaderboardRun::bar_seconds, "{:.1f}"));
  }
};

// In the order in which tasks, and models of a task, first occur.
std::vector<std::vector<LeaderboardRow>> rows_by_task(const std::vector<LeaderboardRun>& runs) {
  std::vector<std::vector<LeaderboardRow>> tasks;
  for (const LeaderboardRun& run : runs) {
    auto task = std::find_if(tasks.begin(), tasks.end(),
                             [&](const auto& rows) { return rows[0].runs[0].task == run.task; });
    if (task == tasks.end()) task = tasks.insert(task, std::vector<LeaderboardRow>{});
    auto row = std::find_if(task->begin(), task->end(),
                            [&](const LeaderboardRow& r) { return r.runs[0].model == run.model; });
    if (row == task->end()) row = task->insert(row, LeaderboardRow{});
    row->runs.push_back(run);
  }
  return tasks;
}

}  // namespace

LeaderboardTable::LeaderboardTable(std::filesystem::path folder) : folder_(std::move(folder)) {
  const std::filesystem::path file = file_of_runs(folder_);
  if (!std::filesystem::exists(file)) return;
  const std::vector<std::string> lines = read_lines(file);
  for (size_t i = 0; i < lines.size(); ++i) {
    try {
      runs_.push_back(from_run_line(lines[i]));
    } catch (const Error& e) {
      fail("{}, line {}: {}", file.string(), i + 1, e.what());
    }
  }
}

bool LeaderboardTable::has(const std::string& task, const std::string& model, int64_t seed) const {
  return std::any_of(runs_.begin(), runs_.end(), [&](const LeaderboardRun& run) {
    return run.task == task && run.model == model && run.seed == seed;
  });
}

void LeaderboardTable::add(LeaderboardRun run) {
  runs_.push_back(std::move(run));
  std::string lines;
  for (const LeaderboardRun& each : runs_) lines += to_run_line(each);
  write_file(file_of_runs(folder_), lines);
  write_file(folder_ / "leaderboard.md", table());
}

std::string LeaderboardTable::table() const {
  std::string text =
      "| task | model | parameters | learned | exact match, % | updates | seconds |\n"
      "|---|---|--:|--:|--:|--:|--:|\n";
  for (std::vector<LeaderboardRow>& rows : rows_by_task(runs_)) {
    std::stable_sort(
        rows.begin(), rows.end(), [](const LeaderboardRow& a, const LeaderboardRow& b) {
          return std::pair(a.share(), a.mean_match()) > std::pair(b.share(), b.mean_match());
        });
    for (const LeaderboardRow& row : rows) text += row.to_markdown();
  }
  return text;
}

}  // namespace weft
