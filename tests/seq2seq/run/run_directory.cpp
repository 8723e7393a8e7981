// What becomes of a run directory when processes die, disks fill up, and two train at once.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

#include <csignal>
#include <functional>
#include <set>

using namespace weft;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

std::set<std::string> names_in(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename());
  return names;
}

const std::set<std::string> kWhole{".lock",      "best.safetensors", "config.json",
                                   "film.jsonl", "last.safetensors", "metrics.jsonl",
                                   "run.toml",   "samples.jsonl",    "vocabulary.json"};

void damage(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }

// The lines of the log without what depends on the clock.
std::vector<std::string> log_of(const TempDir& dir) {
  std::istringstream lines(dir.read("metrics.jsonl"));
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) {
    JsonObject fields = parse_json(line);
    std::erase_if(fields, [](const auto& field) {
      return field.first == "seconds" || field.first == "tokens_per_second";
    });
    all.push_back(to_json_line(fields));
  }
  return all;
}

}  // namespace

TEST_CASE("run directory: a run that goes on makes the files of one that never stopped") {
  const TempDir whole, parts;
  train_tiny(whole.path());
  CHECK(names_in(whole.path()) == kWhole);
  train_tiny(parts.path(), {.steps = 8});
  train_tiny(parts.path(), {.resume = true});
  CHECK(contents(parts / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  CHECK(contents(parts / kBestCheckpoint) == contents(whole / kBestCheckpoint));
  CHECK(log_of(parts) == log_of(whole));
  CHECK(parts.read("samples.jsonl") == whole.read("samples.jsonl"));
}

TEST_CASE("run directory: killed between the best checkpoint and the last, a run goes on") {
  const TempDir whole, parts;
  train_tiny(whole.path());
  train_tiny(parts.path(), {.steps = 4});
  fs::remove(parts / kLastCheckpoint);
  CHECK_THAT(message_of([&] { train_tiny(parts.path()); }), Contains("go on with --resume"));
  const std::string said = train_tiny(parts.path(), {.resume = true});
  CHECK_THAT(said, Contains("going on from " + (parts / kBestCheckpoint).string() + ", of step 4"));
  CHECK(contents(parts / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  CHECK(log_of(parts) == log_of(whole));
}

TEST_CASE("run directory: a run goes on from the newest whole checkpoint") {
  const TempDir whole, parts, early;
  train_tiny(whole.path());
  train_tiny(early.path(), {.steps = 4});
  train_tiny(parts.path(), {.steps = 8});
  SECTION("where the last is damaged") {
    damage(parts / kLastCheckpoint);
    const std::string said = train_tiny(parts.path(), {.resume = true});
    CHECK_THAT(said, Contains("warning: load_safetensors: " + (parts / kLastCheckpoint).string()));
    CHECK_THAT(said, Contains("going on from " + (parts / kBestCheckpoint).string()));
    CHECK(contents(parts / kLastCheckpoint) == contents(whole / kLastCheckpoint));
    CHECK(log_of(parts) == log_of(whole));
  }
  SECTION("where the last is of another run") {
    fs::copy_file(early / kLastCheckpoint, parts / kLastCheckpoint,
                  fs::copy_options::overwrite_existing);
    const std::string said = train_tiny(parts.path(), {.resume = true});
    CHECK_THAT(said, Contains("they do not belong together"));
    CHECK(contents(parts / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  }
  SECTION("where the best is damaged") {
    damage(parts / kBestCheckpoint);
    const std::string said = train_tiny(parts.path(), {.resume = true});
    CHECK_THAT(said, Contains("warning: load_safetensors: " + (parts / kBestCheckpoint).string()));
    CHECK_THAT(said, Contains("warning: the best model is lost"));
    CHECK_NOTHROW(load_model(parts.path()));
  }
  SECTION("not where neither is whole") {
    damage(parts / kBestCheckpoint);
    damage(parts / kLastCheckpoint);
    CHECK_THAT(
        message_of([&] { train_tiny(parts.path(), {.resume = true}); }),
        Contains("train: nothing to go on from: load_safetensors: ") && Contains(kLastCheckpoint));
  }
}

TEST_CASE("run directory: a finished run whose best model is lost has one again") {
  const TempDir dir;
  train_tiny(dir.path());
  fs::remove(dir / kBestCheckpoint);
  train_tiny(dir.path(), {.resume = true});
  CHECK_NOTHROW(load_model(dir.path()));
}

TEST_CASE("run directory: two do not train in one") {
  const TempDir dir;
  train_tiny(dir.path(), {.steps = 4});
  const TinyRun first(dir.path(), {.resume = true});
  for (const TinySettings& s : {TinySettings{.resume = true}, TinySettings{.overwrite = true}})
    CHECK(message_of([&] { TinyRun second(dir.path(), s); }) ==
          "train: another run (process " + std::to_string(getpid()) + ") is training in " +
              dir.path().string());
}

TEST_CASE("run directory: two that begin at once do not share a new one") {
  const TempDir dir;
  RunDirectory first(dir / "m"), second(dir / "m");
  first.begin(false);
  CHECK_THAT(message_of([&] { second.begin(false); }), Contains("is training in"));
}

TEST_CASE("run directory: a process that died holds no lock") {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    RunDirectory directory(dir.path());
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(names_in(dir.path()) == std::set<std::string>{".lock"});
  CHECK_NOTHROW(RunDirectory(dir.path()));
}

TEST_CASE("run directory: a model stays until the run that replaces it has one") {
  const TempDir dir;
  train_tiny(dir.path());
  const auto old = tiny_translations(dir.path());
  SECTION("also where that run fails") {
    const auto diverges = [](int64_t step) { return step < 2 ? 1 : 1e30; };
    CHECK_FALSE(message_of([&] {
                  train_tiny(dir.path(), {.overwrite = true, .seed = 2, .lr_factor = diverges});
                }).empty());
    CHECK(tiny_translations(dir.path()) == old);
    CHECK(names_in(dir.path()) == kWhole);
    CHECK_NOTHROW(train_tiny(dir.path(), {.steps = 16, .resume = true}));
  }
  SECTION("also while that run has none, and then it is that run's directory") {
    const CapturedErrors errors;
    TinyRun next(dir.path(), {.overwrite = true, .seed = 2});
    CHECK(tiny_translations(dir.path()) == old);
    CHECK(names_in(dir.path()).contains("new-run"));
    next.train();
    CHECK(names_in(dir.path()) == kWhole);
    const TempDir other;
    train_tiny(other.path(), {.seed = 2});
    CHECK(tiny_translations(dir.path()) == tiny_translations(other.path()));
    CHECK(contents(dir / kLastCheckpoint) == contents(other / kLastCheckpoint));
    CHECK(log_of(dir) == log_of(other));
  }
  SECTION("and is not replaced unasked") {
    CHECK_THAT(message_of([&] { train_tiny(dir.path()); }),
               Contains("holds a model already; go on with --resume, replace it with --overwrite"));
    CHECK(tiny_translations(dir.path()) == old);
  }
}

// Every state in which a process may die that moves a new run's files to their places.
TEST_CASE("run directory: a replacement that was cut off is finished by the next run") {
  const TempDir before, after;
  train_tiny(before.path());
  train_tiny(after.path(), {.steps = 4, .seed = 2});
  fs::remove(after / kLastCheckpoint);  // as it is when the best is there
  fs::remove(after / ".lock");
  const auto expected = tiny_translations(after.path());
  const std::vector<std::string> order{"metrics.jsonl", "config.json", "vocabulary.json",
                                       "run.toml"};
  for (size_t moved = 0; moved <= order.size(); ++moved) {
    const TempDir dir;
    fs::copy(before.path(), dir.path(), fs::copy_options::recursive);
    fs::copy(after.path(), dir / "new-run", fs::copy_options::recursive);
    if (moved > 0) fs::remove(dir / kLastCheckpoint);
    for (size_t i = 0; i < moved; ++i) fs::rename(dir / "new-run" / order[i], dir / order[i]);
    dir.write("best.safetensors.weft-1-1.tmp", "half");
    CAPTURE(moved);
    if (moved > 1) CHECK_FALSE(message_of([&] { load_model(dir.path()); }).empty());
    RunDirectory(dir.path());
    CHECK(tiny_translations(dir.path()) == expected);
    CHECK(names_in(dir.path()) == std::set<std::string>{".lock", "best.safetensors", "config.json",
                                                        "film.jsonl", "metrics.jsonl", "run.toml",
                                                        "samples.jsonl", "vocabulary.json"});
  }
}

TEST_CASE("run directory: a replacement that has begun nothing is swept") {
  const TempDir dir;
  train_tiny(dir.path());
  const auto old = tiny_translations(dir.path());
  fs::create_directory(dir / "new-run");
  dir.write("new-run/vocabulary.json.weft-1-1.tmp", "half");
  RunDirectory(dir.path());
  CHECK(names_in(dir.path()) == kWhole);
  CHECK(tiny_translations(dir.path()) == old);
}

namespace {

// The usual learning rates; before the update after `step` it does something else too.
LrFactor but_after(int64_t step, const std::function<void()>& act) {
  return [=](int64_t update) {
    if (update == step) act();
    return schedules::warmup_decay(5, 0.5)(update);
  };
}

}  // namespace

TEST_CASE("run directory: a replacement that ended before its first model goes on") {
  const TempDir dir, killed, other;
  train_tiny(dir.path());
  train_tiny(other.path(), {.seed = 2});
  const auto old = tiny_translations(dir.path());
  TinySettings next{.overwrite = true, .seed = 2, .save_every = 1};
  fs::path ended = dir.path();
  SECTION("by a signal") {
    next.lr_factor = but_after(3, [] { std::raise(SIGTERM); });
    const std::string said = train_tiny(dir.path(), next);
    CHECK_THAT(said, Contains("until its first validation the old model stays"));
  }
  SECTION("at once, as by kill -9") {
    next.lr_factor =
        but_after(3, [&] { fs::copy(dir.path(), killed / "m", fs::copy_options::recursive); });
    train_tiny(dir.path(), next);
    ended = killed / "m";
  }
  CHECK(tiny_translations(ended) == old);
  CHECK_THAT(message_of([&] { train_tiny(ended); }), Contains("go on with --resume"));
  const std::string said = train_tiny(ended, {.resume = true, .seed = 2});
  CHECK_THAT(said, Contains("going on from " + (ended / "new-run" / kLastCheckpoint).string()));
  CHECK(names_in(ended) == kWhole);
  CHECK(contents(ended / kLastCheckpoint) == contents(other / kLastCheckpoint));
  CHECK(contents(ended / kBestCheckpoint) == contents(other / kBestCheckpoint));
}

TEST_CASE("run directory: a replacement killed before its first checkpoint is not another run") {
  const TempDir dir, killed;
  train_tiny(dir.path());
  const auto old = tiny_translations(dir.path());
  const auto copy = [&] { fs::copy(dir.path(), killed / "m", fs::copy_options::recursive); };
  train_tiny(dir.path(), {.overwrite = true, .seed = 2, .lr_factor = but_after(3, copy)});
  CHECK(message_of([&] { train_tiny(killed / "m", {.resume = true}); }) ==
        "train: the run that was to replace the model of " + (killed / "m").string() +
            " ended before its first checkpoint; begin it anew with --overwrite, or remove " +
            (killed / "m" / "new-run").string() + " to go on with the run before it");
  CHECK(tiny_translations(killed / "m") == old);
  SECTION("it is begun anew") {
    train_tiny(killed / "m", {.overwrite = true, .seed = 2});
    CHECK(contents(killed / "m" / kLastCheckpoint) == contents(dir / kLastCheckpoint));
  }
  SECTION("or the one before it goes on") {
    fs::remove_all(killed / "m" / "new-run");
    CHECK_NOTHROW(train_tiny(killed / "m", {.steps = 16, .resume = true}));
  }
  CHECK(names_in(killed / "m") == kWhole);
}

TEST_CASE("run directory: a full disk leaves the checkpoints of before, and a run to go on with") {
  const TempDir whole, dir;
  train_tiny(whole.path());
  train_tiny(dir.path(), {.steps = 4});
  const auto before = tiny_translations(dir.path());
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{4096, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { train_tiny(dir.path(), {.resume = true}); });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  CHECK_THAT(message, Contains("cannot write") && Contains("File too large"));
  CHECK(tiny_translations(dir.path()) == before);
  CHECK(names_in(dir.path()) == kWhole);
  train_tiny(dir.path(), {.resume = true});
  CHECK(contents(dir / kLastCheckpoint) == contents(whole / kLastCheckpoint));
  CHECK(log_of(dir) == log_of(whole));
}

TEST_CASE("run directory: a run goes on with another learning rate, but not with other data") {
  const TempDir dir;
  train_tiny(dir.path(), {.steps = 4});
  Corpus trained = tiny_corpus(), validated = tiny_corpus();
  trained.train.text.target[0] = "a a";
  validated.valid.text.target[0] = "unknown words";
  CHECK_THAT(message_of([&] { train_tiny(dir.path(), {.resume = true, .corpus = trained}); }),
             Contains("--resume needs the run's corpus of 20 pairs, crc32c "));
  CHECK_THAT(message_of([&] { train_tiny(dir.path(), {.resume = true, .corpus = validated}); }),
             Contains("--resume needs the run's validation set of 5 pairs, crc32c "));
  train_tiny(dir.path(), {.resume = true, .learning_rate = 0.002});
  const TempDir whole;
  train_tiny(whole.path());
  CHECK(contents(dir / kLastCheckpoint) != contents(whole / kLastCheckpoint));
  const std::string log = dir.read("metrics.jsonl");
  CHECK_THAT(log.substr(log.find("\"step\":9")), Contains("\"learning_rate\":0.00149"));
}
