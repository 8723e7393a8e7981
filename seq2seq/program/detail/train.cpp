// `weft train`: from a corpus to a model directory, with checkpoints on the way.
#include <weft/autograd/inspect/profiler.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/program/detail/report.h>
#include <weft/seq2seq/run/corpus_size.h>
#include <weft/seq2seq/run/freeze.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace weft {
namespace {

bool is_files(const TrainConfig& c) { return c.task.value() == "files"; }

// The task that the user means.
void settle_task(TrainConfig& c, std::span<const Task> tasks) {
  const bool has_files = !c.files().train.empty();
  if (has_files && c.task.value().empty()) c.task = "files";
  const bool needs_files = c.task.value().empty() || is_files(c);
  check(!needs_files || has_files,
        "train: needs a corpus: --task NAME (weft tasks lists them), --data, or --train-source and "
        "--train-target");
  if (needs_files) return;
  find_named(tasks, c.task, "task");
  for (SplitSettings* split : c.file_settings())
    for (const Setting<std::string>* file : split->all())
      check(file->value().empty(), "train: --task {} has a corpus of its own; got --{} too",
            c.task.value(), file->info().name);
}

// What suits task, model or optimizer, where the user does not say otherwise. The length of a run
// counts where there is no limit at all.
void suggest_defaults(RunConfig& config, const Settings& defaults) {
  if (config.train.resume) return;
  const bool limited = config.train.steps > 0 || config.train.minutes > 0;
  for (const auto& [name, text] : defaults)
    if (!limited || name != config.train.epochs.info().name) config.find(name).suggest(text);
}

// The directory with the run's settings, of a new run also with what the model is made of.
void begin(RunConfig& config, RunDirectory& directory, const Vocabulary& vocabulary) {
  if (!config.train.resume) {
    directory.begin(config.train.overwrite);
    config.model.run = new_run_id();
    vocabulary.save(directory.folder(), config.model.run);
    save_config(directory.folder(), config.model);
  }
  config.save(directory.folder());
}

// The model that a new run begins with, if it does with one: its settings are the run's, but for
// those that the user gives.
LoadedModel initial_model(RunConfig& config, std::span<const ModelKind> kinds) {
  TrainConfig& train = config.train;
  if (train.resume || train.init_from.value().empty()) return {};
  LoadedModel model = load_model(train.init_from.value(), kinds);
  const ModelConfig saved = load_config(train.init_from.value());
  for (const AnySetting* old : saved.settings())
    if (AnySetting& own = config.find(old->info().name); !own.given()) own.give(old->text());
  config.ignore(train.subwords.info().name, "--init-from, which has a vocabulary");
  const std::string tokens = name_of(model.vocabulary->tokens());
  check(!train.tokens.given() || train.tokens.value() == tokens,
        "train: --tokens must be {}, as in --init-from {}; got {}", tokens, train.init_from.value(),
        train.tokens.value());
  train.tokens.give(tokens);
  return model;
}

std::unique_ptr<Seq2SeqModel> make_model(const RunConfig& config, const ModelKind& kind,
                                         const Generator& generator, LoadedModel initial) {
  std::unique_ptr<Seq2SeqModel> model = kind.make(config.model, generator);
  if (!initial.model) return model;
  try {
    model->load_state_dict(initial.model->state_dict());
  } catch (const Error& e) {
    fail("train: --init-from {}: {}", config.train.init_from.value(), e.what());
  }
  return model;
}

std::unique_ptr<Vocabulary> make_vocabulary(RunConfig& config, const ParallelText& text,
                                            const RunDirectory& directory, LoadedModel& initial) {
  TrainConfig& train = config.train;
  if (find_tokens(train.tokens) != Tokens::kSubwords)
    config.ignore(train.subword_dropout.info().name, "--tokens " + train.tokens.value());
  if (initial.vocabulary) return std::move(initial.vocabulary);
  if (train.resume) return load_vocabulary(directory.folder(), config.model.run);
  const Tokens tokens = find_tokens(train.tokens);
  if (tokens != Tokens::kSubwords)
    config.ignore(train.subwords.info().name, "--tokens " + train.tokens.value());
  if (tokens == Tokens::kCharacters) return character_vocabulary(text.source, text.target);
  if (tokens == Tokens::kWords) return word_vocabulary(text.source, text.target);
  std::vector<std::string> sentences = text.source;
  sentences.insert(sentences.end(), text.target.begin(), text.target.end());
  fit_vocabulary(train, sentences);
  const bool or_fewer = !train.subwords.given();
  std::unique_ptr<Vocabulary> subwords = train_subwords(sentences, train.subwords, or_fewer);
  train.subwords = subwords->size();
  return subwords;
}

// Takes the settings of the run in its directory, and returns what the user changes of them. Its
// config.json is needed in the end: better to find now that it is damaged.
std::vector<std::string> go_on(RunConfig& config, RunDirectory& directory) {
  directory.go_on();
  const std::filesystem::path& dir = directory.folder();
  std::vector<std::string> changes = config.go_on_from(dir);
  const ModelConfig saved = load_config(dir);
  check_same_run((dir / kRunSettings).string(), config.model.run, "config.json", saved.run);
  for (const AnySetting* setting : saved.settings()) {
    const SettingInfo& info = setting->info();
    const std::string value = config.find(info.name).text();
    check(setting->text() == value, "{}: --{} is {} in config.json, and {} in run.toml",
          dir.string(), info.name, setting->text(), value);
  }
  return changes;
}

// Settles the run's settings but for what follows from its corpus, with files that are found from
// any directory. Returns what changes in a run that goes on.
std::vector<std::string> settle_run(RunConfig& config, RunDirectory& directory,
                                    std::span<const Task> tasks) {
  TrainConfig& train = config.train;
  for (SplitSettings* split : train.file_settings()) split->make_absolute();
  if (train.init_from.given())
    train.init_from = std::filesystem::absolute(train.init_from.value()).string();
  std::vector<std::string> changes;
  if (train.resume)
    changes = go_on(config, directory);
  else if (!train.overwrite)
    directory.require_free();
  settle_task(train, tasks);
  return changes;
}

// The kind of the model, with what suits it.
const ModelKind& settle_model(RunConfig& config, std::span<const ModelKind> kinds) {
  const ModelKind& kind = find_named(kinds, config.model.model, "model");
  for (const AnySetting* s : config.model.settings())
    if (const std::string& name = s->info().name; !kind.has_use_for(name))
      config.ignore(name, "--model " + kind.name);
  suggest_defaults(config, kind.defaults);
  return kind;
}

const OptimizerKind& settle_optimizer(RunConfig& config, std::span<const OptimizerKind> kinds) {
  const OptimizerKind& kind = find_named(kinds, config.train.optimizer, "optimizer");
  suggest_defaults(config, kind.defaults);
  return kind;
}

// The end of a schedule is settled when a run begins: a limit that is given anew does not bend it.
const ScheduleKind& settle_schedule(RunConfig& config, std::span<const ScheduleKind> kinds) {
  const ScheduleKind& kind = find_named(kinds, config.train.schedule, "schedule");
  suggest_defaults(config, kind.defaults);
  if (!config.train.resume && config.train.decay_steps == 0)
    config.train.decay_steps = config.train.steps.value();
  return kind;
}

const CurriculumKind& settle_curriculum(RunConfig& config, std::span<const CurriculumKind> kinds) {
  const CurriculumKind& kind = find_named(kinds, config.train.curriculum, "curriculum");
  suggest_defaults(config, kind.defaults);
  return kind;
}

void report_run(const RunConfig& config, const Trainer& trainer, const Corpus& corpus,
                const Catalog& catalog, const Ranks& ranks, Tell tell) {
  const Position& at = trainer.position();
  report({.task = config.train.task,
          .steps = at.step,
          .seconds = at.seconds,
          .parameters = trainer.parameters(),
          .tokens_per_second = static_cast<double>(at.tokens) / std::max(at.seconds, 1e-9),
          .checkpoint_step = at.best_step,
          .metric = config.train.metric,
          .valid_score = at.best_score,
          .scores = {}},
         corpus, config.train.directory(), catalog, ranks, tell);
}

// Before it begins, there is nothing to save, and a signal ends the program as usual.
int run_and_report(RunConfig& config, Trainer& trainer, RunDirectory& directory,
                   const Vocabulary& vocabulary, const Ranks& ranks,
                   const std::function<void()>& report) {
  const InterruptScope scope;
  try {
    if (ranks.first()) begin(config, directory, vocabulary);
    if (const int signal = trainer.run()) return 128 + signal;
    report();
    return 0;
  } catch (const Interrupted& why) {
    if (ranks.first())
      warn(
          fmt::format("{} while the model was judged; it is saved: --model-dir {} --resume judges "
                      "it again",
                      why.what(), config.train.directory().string()));
    return 128 + why.signal();
  }
}

// Where no other rank is known of, each would train a model of its own, into one directory.
void check_others(const Communicator& communicator) {
  check(communicator.size() > 1 || started_ranks() == 1,
        "train: {} processes were started together, but this program cannot make one run of them: "
        "it needs weft with MPI, or a call of Program::distribute",
        started_ranks());
}

int train(RunConfig& config, const Catalog& catalog, Communicator& communicator, Tell tell) {
  const Stopwatch since_start;
  check(!config.train.model_dir.value().empty(),
        "train: needs --model-dir, the directory of the model");
  check(!config.train.resume || !config.train.overwrite,
        "train: --resume and --overwrite exclude each other");
  check_others(communicator);
  const Ranks ranks(communicator);
  RunDirectory directory(config.train.directory(),
                         ranks.first() ? RunFiles::kOurs : RunFiles::kTheirs);
  ranks.wait_for_first();  // to lock it, and to set it right
  const std::vector<std::string> changes = settle_run(config, directory, catalog.tasks);
  set_float32_matmul_precision(config.train.precision.value() == "bf16" ? MatmulPrecision::bf16
                                                                        : MatmulPrecision::float32);
  const Corpus corpus = is_files(config.train)
                            ? read_corpus(config.train.files())
                            : find_named(catalog.tasks, config.train.task, "task").corpus();
  LoadedModel initial = initial_model(config, catalog.models);
  suggest_defaults(config, corpus.defaults);
  const ModelKind& model_kind = settle_model(config, catalog.models);
  const OptimizerKind& optimizer_kind = settle_optimizer(config, catalog.optimizers);
  const ScheduleKind& schedule_kind = settle_schedule(config, catalog.schedules);
  const CurriculumKind& curriculum_kind = settle_curriculum(config, catalog.curricula);
  validate(config.train);
  check(config.train.freeze.value().empty() || !config.train.init_from.value().empty(),
        "train: --freeze keeps what --init-from begins with; got --freeze {} alone",
        config.train.freeze.value());
  const Metric& metric = find_named(catalog.metrics, config.train.metric, "metric");
  const std::unique_ptr<Vocabulary> vocabulary =
      make_vocabulary(config, corpus.train.text, directory, initial);
  config.model.vocabulary = vocabulary->size();
  validate(config.model);
  if (!config.train.resume && is_files(config.train))
    fit_schedule(config.train, encode_pairs(*vocabulary, corpus.train.text));
  const Generator generator(static_cast<uint64_t>(config.train.seed));
  const std::unique_ptr<Seq2SeqModel> model =
      make_model(config, model_kind, generator, std::move(initial));
  if (!config.train.freeze.value().empty()) freeze(*model, config.train.freeze);
  const std::unique_ptr<Optimizer> optimizer =
      optimizer_kind.make(model->named_parameters(), config.train);
  Trainer trainer(config, {.model = *model,
                           .optimizer = *optimizer,
                           .generator = generator,
                           .vocabulary = *vocabulary,
                           .corpus = corpus,
                           .metric = metric,
                           .directory = directory,
                           .lr_factor = schedule_kind.make(config.train),
                           .curriculum = curriculum_kind.make(config.train),
                           .since_start = since_start,
                           .communicator = communicator});
  if (ranks.first())
    for (const std::string& change : changes) warn("the run goes on with " + change);
  return run_and_report(config, trainer, directory, *vocabulary, ranks,
                        [&] { report_run(config, trainer, corpus, catalog, ranks, tell); });
}

}  // namespace

int train_command(RunConfig config, const Catalog& catalog, Communicator& communicator, Tell tell) {
  set_num_threads(static_cast<int>(config.train.threads));
  std::optional<Profiler> profiler;
  if (config.train.profile) profiler.emplace();
  const int status = train(config, catalog, communicator, tell);
  if (profiler && communicator.rank() == 0)
    tell(profiler->table() + "\n" + profiler->table(Profiler::By::module));
  return status;
}

}  // namespace weft
