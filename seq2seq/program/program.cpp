// The only use of CLI11, whose header takes seconds to compile; the flags are the settings of each
// subcommand.
#include <fcntl.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/core/version.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/program/program.h>
#include <weft/seq2seq/text/utf8.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <sstream>

namespace weft {
namespace {

constexpr size_t kLongestError = 2000;  // characters; what a damaged file says may be any text

// A closed standard stream would be the next file that is opened, and get what is meant for the
// user. Something is put in its place that fails all the same.
void hold_standard_streams() {
  for (int d = STDIN_FILENO; d <= STDERR_FILENO; ++d) {
    if (::fcntl(d, F_GETFD) >= 0 || errno != EBADF) continue;
    const int opened = ::open("/dev/null", d == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    check(opened == d, "cannot open /dev/null: {}", std::strerror(errno));
  }
}

// A reader that is gone, or a file that grows too large, is an error of the call that writes.
void ignore_signals_of_writing() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
}

// CLI11 would read numbers by rules of its own (010 as 8): settings read them.
void add_settings(CLI::App& command, const std::vector<AnySetting*>& settings) {
  for (AnySetting* setting : settings) {
    const SettingInfo& info = setting->info();
    CLI::Option* option = nullptr;
    if (setting->is_switch()) {
      option = command.add_flag("--" + info.name, info.help);
      option->each([setting](const std::string& text) { setting->give(text); });
    } else {
      option = command.add_option_function<std::string>(
          "--" + info.name, [setting](const std::string& text) { setting->give(text); }, info.help);
      option->type_name("")->default_str(setting->text());
    }
    if (!info.group.empty()) option->group(info.group);
  }
}

void require(CLI::App& command, std::initializer_list<const char*> options) {
  for (const char* option : options) command.get_option(option)->required();
}

// Given again, an option that is a list goes on; of any other the last one counts.
void join_lists(CLI::App& command, std::initializer_list<const char*> options) {
  for (const char* option : options) command.get_option(option)->join(',');
}

// What an option chooses from, one's own included.
template <class Items>
void name_choices(CLI::App& command, const char* option, const Items& items) {
  CLI::Option* const described = command.get_option(option);
  std::string names;
  for (const auto& item : items) names += (names.empty() ? "" : ", ") + item.name;
  described->description(described->get_description() + ": " + names);
}

void add_train(CLI::App& app, const Catalog& catalog, Communicator& communicator, RunConfig& config,
               std::string& file, int& status) {
  config.train.accumulate = communicator.size();
  CLI::App* command = app.add_subcommand(
      "train", "Train a model: on a built-in task, or on files of parallel text");
  command
      ->add_option("--config", file,
                   "File of settings in TOML, each the name of a flag without dashes = its value; "
                   "flags come before it")
      ->group("Run");
  add_settings(*command, config.settings());
  join_lists(*command, {"--freeze"});
  name_choices(*command, "--task", catalog.tasks);
  name_choices(*command, "--model", catalog.models);
  name_choices(*command, "--optimizer", catalog.optimizers);
  name_choices(*command, "--schedule", catalog.schedules);
  name_choices(*command, "--curriculum", catalog.curricula);
  name_choices(*command, "--metric", catalog.metrics);
  command->callback([&] {
    if (!file.empty()) config.read_file(file);
    status = train_command(config, catalog, communicator);
  });
}

void add_tasks(CLI::App& app, const Catalog& catalog) {
  app.add_subcommand("tasks", "List the tasks")->callback([&] { tasks_command(catalog); });
}

void add_run(CLI::App& app, const Catalog& catalog, Communicator& communicator, RunOptions& o) {
  CLI::App* command = app.add_subcommand("run", "Translate standard input, line by line");
  add_settings(*command, o.settings());
  require(*command, {"--model-dir"});
  join_lists(*command, {"--ensemble"});
  command->callback([&] { run_command(o, catalog, communicator); });
}

void add_score(CLI::App& app, const Catalog& catalog, ScoreOptions& o) {
  CLI::App* command =
      app.add_subcommand("score", "Score translations: BLEU, as sacreBLEU computes it, and others");
  add_settings(*command, o.settings());
  require(*command, {"--hypothesis", "--reference"});
  name_choices(*command, "--metric", catalog.metrics);
  command->get_option("--tokenize")->check(CLI::IsMember({"13a", "none"}));
  command->callback([&] { score_command(o, catalog); });
}

void add_show(CLI::App& app, const Catalog& catalog, ShowOptions& o) {
  CLI::App* command =
      app.add_subcommand("show", "Show the cross-attention of a sentence, by layer and head");
  add_settings(*command, o.settings());
  require(*command, {"--model-dir", "--sentence"});
  command->callback([&] { show_command(o, catalog); });
}

void add_export(CLI::App& app, const Catalog& catalog, ExportOptions& o) {
  CLI::App* command = app.add_subcommand("export", "Write a trained model for ONNX or PyTorch");
  add_settings(*command, o.settings());
  require(*command, {"--model-dir"});
  command->callback([&] { export_command(o, catalog); });
}

void add_lab(CLI::App& app, const Catalog& catalog, Communicator& communicator, LabOptions& o) {
  CLI::App* command =
      app.add_subcommand("lab", "Write a report of what attention does: maps, measures, tables");
  add_settings(*command, o.settings());
  name_choices(*command, "--experiment", catalog.experiments);
  command->callback([&] { lab_command(o, catalog, communicator); });
}

void add_board(CLI::App& app, BoardOptions& o) {
  CLI::App* command = app.add_subcommand("board", "Follow runs, one or several, on a live page");
  command
      ->add_option("--model-dir,directories", o.model_dirs, "Directories of models, now or to come")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("")
      ->required();
  add_settings(*command, o.settings());
  command->callback([&] { board_command(o); });
}

void add_leaderboard(CLI::App& app, const Catalog& catalog, LeaderboardOptions& o, int& status) {
  CLI::App* command = app.add_subcommand(
      "leaderboard", "Train models on tasks and write a table of what each learns, and how soon");
  add_settings(*command, o.settings());
  join_lists(*command, {"--tasks", "--models"});
  name_choices(*command, "--tasks", catalog.tasks);
  name_choices(*command, "--models", catalog.models);
  command->callback([&] { status = leaderboard_command(o, catalog); });
}

// Adds an item under a name of its own.
template <class Item>
void add(std::vector<Item>& items, Item item, const char* what) {
  for (const Item& other : items)
    check(other.name != item.name, "{}: there is one called '{}' already", what, item.name);
  items.push_back(std::move(item));
}

}  // namespace

void Program::add_task(Task task) { add(catalog_.tasks, std::move(task), "add_task"); }
void Program::add_model(ModelKind model) { add(catalog_.models, std::move(model), "add_model"); }
void Program::add_optimizer(OptimizerKind optimizer) {
  add(catalog_.optimizers, std::move(optimizer), "add_optimizer");
}
void Program::add_schedule(ScheduleKind schedule) {
  add(catalog_.schedules, std::move(schedule), "add_schedule");
}
void Program::add_curriculum(CurriculumKind curriculum) {
  add(catalog_.curricula, std::move(curriculum), "add_curriculum");
}
void Program::add_metric(Metric metric) { add(catalog_.metrics, std::move(metric), "add_metric"); }
void Program::add_measure(Measure measure) {
  add(catalog_.measures, std::move(measure), "add_measure");
}
void Program::add_experiment(Experiment experiment) {
  add(catalog_.experiments, std::move(experiment), "add_experiment");
}

int Program::run_unchecked(int argc, char** argv) const {
  CLI::App app{"Train a sequence-to-sequence model and translate with it.", "weft"};
  app.set_version_flag("--version", "weft " WEFT_VERSION);
  // Scripts give a recipe and pass the user's options on behind it.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.failure_message([](const CLI::App* failed, const CLI::Error& e) {
    std::string help = "weft";
    for (const CLI::App* command : failed->get_subcommands()) help += " " + command->get_name();
    return "weft: " + std::string(e.what()) + "; see " + help + " --help\n";
  });
  int status = 0;
  std::string config_file;
  RunConfig train;
  RunOptions run;
  ScoreOptions score;
  ShowOptions show;
  ExportOptions exported;
  LabOptions lab;
  BoardOptions board;
  LeaderboardOptions leaderboard;
  add_tasks(app, catalog_);
  add_train(app, catalog_, *communicator_, train, config_file, status);
  add_run(app, catalog_, *communicator_, run);
  add_score(app, catalog_, score);
  add_show(app, catalog_, show);
  add_export(app, catalog_, exported);
  add_lab(app, catalog_, *communicator_, lab);
  add_board(app, board);
  add_leaderboard(app, catalog_, leaderboard, status);
  const bool first = communicator_->rank() == 0;
  if (!first)  // these need no others
    for (const char* name : {"tasks", "score", "show", "export", "board", "leaderboard"})
      app.get_subcommand(name)->callback([] {});
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");
  } catch (const CLI::ParseError& e) {  // or --help
    std::ostringstream out;
    std::ostream nowhere(nullptr);
    status = app.exit(e, out, first ? std::cerr : nowhere);
    if (first) print(out.str());
  }
  return status;
}

int Program::run(int argc, char** argv) const {
  try {
    hold_standard_streams();
    ignore_signals_of_writing();
    return run_unchecked(argc, argv);
  } catch (const std::exception& e) {
    return failed(e);
  }
}

int Program::failed(const std::exception& e) const {
  const std::string what = printable(e.what(), kLongestError);
  const int rank = communicator_->rank();
  if (rank == 0) std::fprintf(stderr, "weft: %s\n", what.c_str());
  if (communicator_->all_failed()) return 1;  // of what rank 0 said
  if (rank > 0) std::fprintf(stderr, "weft: rank %d: %s\n", rank, what.c_str());
  communicator_->abort(1);
  return 1;
}

}  // namespace weft
