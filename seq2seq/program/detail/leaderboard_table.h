// The runs of a leaderboard: a file with a line of JSON for each, and the table that they make.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weft {

struct LeaderboardRun {
  std::string task, model;
  int64_t seed = 0;
  int64_t parameters = 0;
  int64_t updates = 0;
  double seconds = 0;  ///< of training, without validations and saves
  double bar = 0;      ///< of the task, in per cent
  /// Of the held-out pairs, in per cent, by the model that was best in validation.
  double exact_match = 0;
  int64_t bar_updates = 0;  ///< at the first validation that met the bar; 0: none did
  double bar_seconds = 0;

  /// Whether validation met the bar, and so do the held-out pairs.
  bool learned() const { return bar_updates > 0 && exact_match >= bar; }
};

class LeaderboardTable {
 public:
  /// What is in leaderboard.jsonl of that folder, if it is there. Throws an error that names the
  /// file and the line if that is damaged.
  explicit LeaderboardTable(std::filesystem::path folder);

  bool has(const std::string& task, const std::string& model, int64_t seed) const;
  /// Writes leaderboard.jsonl and leaderboard.md anew, each whole or not at all.
  void add(LeaderboardRun run);

  /// Markdown: a row for each task and model, its best models first (by runs that learned it, then
  /// by exact match), with the mean of exact matches over seeds and their ends; updates and seconds
  /// are medians over the runs that learned.
  std::string table() const;

 private:
  std::filesystem::path folder_;
  std::vector<LeaderboardRun> runs_;
};

}  // namespace weft
