#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/leaderboard_table.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <csignal>
#include <filesystem>

using namespace weft;

namespace {

LeaderboardRun run_of(const char* model, int64_t seed, double exact_match, int64_t bar_updates = 0,
                      double bar_seconds = 0) {
  return {.task = "sort",
          .model = model,
          .seed = seed,
          .parameters = 1000,
          .updates = 900,
          .seconds = 9,
          .bar = 99,
          .exact_match = exact_match,
          .bar_updates = bar_updates,
          .bar_seconds = bar_seconds};
}

// A task of a second, with two models that differ in nothing.
Catalog small_catalog() {
  Catalog catalog;
  const auto draw = [](Generator& g) {
    std::string text;
    for (int i = 0; i < 3; ++i) text += static_cast<char>('a' + g.below(6));
    return text;
  };
  const Settings recipe{
      {"epochs", "2"}, {"d-model", "16"}, {"ffn", "32"}, {"heads", "2"}, {"layers", "1"}};
  const auto same = [](const std::string& source) { return source; };
  catalog.tasks = {drawn_task("easy", "", draw, same, recipe, {100, 20, 20})};
  catalog.tasks[0].bar = 0;
  catalog.tasks.push_back(catalog.tasks[0]);
  catalog.tasks[1].name = "hard";
  catalog.tasks[1].bar = 100;
  return catalog;
}

LeaderboardOptions options_of(const std::filesystem::path& out, const char* tasks) {
  LeaderboardOptions options;
  options.out = out.string();
  options.tasks = tasks;
  options.models = "gru";
  options.seeds = 2;
  return options;
}

}  // namespace

TEST_CASE("leaderboard: its table is of medians over runs that learned, the best models first") {
  const TempDir dir;
  LeaderboardTable board(dir.path());
  board.add(run_of("gru", 1, 50));
  board.add(run_of("gru", 2, 100, 300, 3));
  board.add(run_of("lstm", 1, 98.5, 200, 2));  // in validation, but not held out
  board.add(run_of("transformer", 1, 99, 400, 4));
  board.add(run_of("transformer", 2, 100, 600, 7));
  const std::string table =
      "| task | model | parameters | learned | exact match, % | updates | seconds |\n"
      "|---|---|--:|--:|--:|--:|--:|\n"
      "| sort | transformer | 1000 | 2 of 2 | 99.50 (99.00 to 100.00) | 500 | 5.5 |\n"
      "| sort | gru | 1000 | 1 of 2 | 75.00 (50.00 to 100.00) | 300 | 3.0 |\n"
      "| sort | lstm | 1000 | 0 of 1 | 98.50 | - | - |\n";
  CHECK(board.table() == table);
  CHECK(dir.read("leaderboard.md") == table);
  CHECK(board.has("sort", "gru", 2));
  CHECK_FALSE(board.has("sort", "gru", 3));
  CHECK(LeaderboardTable(dir.path()).table() == table);
}

TEST_CASE("leaderboard: a line that is none of its own is named") {
  const TempDir dir;
  LeaderboardTable(dir.path()).add(run_of("gru", 1, 50));
  const auto file =
      dir.write("leaderboard.jsonl", dir.read("leaderboard.jsonl") + "{\"task\":\"a\"}\n");
  CHECK(
      message_of([&] { LeaderboardTable(dir.path()); }).starts_with(file.string() + ", line 2: "));
}

TEST_CASE("leaderboard: a run that is done is not done again, and more are added") {
  const TempDir dir;
  const Catalog catalog = small_catalog();
  const CapturedErrors errors;
  REQUIRE(leaderboard_command(options_of(dir.path(), "easy,easy"), catalog) == 0);
  const std::string first = dir.read("leaderboard.jsonl");
  CHECK(std::count(first.begin(), first.end(), '\n') == 2);
  CHECK(dir.read("leaderboard.md").find("| easy | gru |") != std::string::npos);
  CHECK(dir.read("leaderboard.md").find("| 2 of 2 |") != std::string::npos);
  std::filesystem::remove_all(dir / "easy-gru-1");
  REQUIRE(leaderboard_command(options_of(dir.path(), "easy,hard"), catalog) == 0);
  const std::string second = dir.read("leaderboard.jsonl");
  CHECK(second.starts_with(first));
  CHECK(std::count(second.begin(), second.end(), '\n') == 4);
  CHECK_FALSE(std::filesystem::exists(dir / "easy-gru-1"));
  CHECK(dir.read("leaderboard.md").find("| 0 of 2 |") != std::string::npos);
}

TEST_CASE("leaderboard: an interrupted run goes on where it was") {
  const TempDir dir;
  Catalog catalog = small_catalog();
  int calls = 0;
  for (Metric& metric : catalog.metrics)
    if (metric.name == "exact")
      metric.score = [&calls, score = metric.score](auto hypotheses, auto references) {
        if (++calls == 1) std::raise(SIGTERM);
        return score(hypotheses, references);
      };
  const CapturedErrors errors;
  CHECK(leaderboard_command(options_of(dir.path(), "easy"), catalog) == 128 + SIGTERM);
  CHECK_FALSE(std::filesystem::exists(dir / "leaderboard.jsonl"));
  REQUIRE(leaderboard_command(options_of(dir.path(), "easy"), catalog) == 0);
  CHECK(calls == 4);  // two validations of each run
  CHECK(LeaderboardTable(dir.path()).has("easy", "gru", 2));
}

TEST_CASE("leaderboard: what it cannot choose") {
  const TempDir dir;
  const Catalog catalog = small_catalog();
  CHECK(message_of([&] { leaderboard_command(options_of(dir.path(), "easy,esay"), catalog); }) ==
        "tasks: must be one of easy, hard; got 'esay'");
  CHECK(message_of([&] { leaderboard_command(options_of(dir.path(), ""), catalog); }) ==
        "leaderboard: --tasks names none");
}
