#include <weft/seq2seq/training/run_state.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

const std::vector<Pair> kCorpus{{{4, 5, 3}, {2, 6, 3}}, {{7, 3}, {2, 8, 9, 3}}};

Settings settings_of(const RunConfig& config) { return run_settings(config, kCorpus, kCorpus); }

// What the program says when a run with these settings is to go on with those.
std::string complaint(const RunConfig& saved, const RunConfig& resumed) {
  const weft::Metadata metadata = to_metadata({}, settings_of(saved));
  return message_of([&] { position_from(metadata, settings_of(resumed), "last"); });
}

}  // namespace

TEST_CASE("run state: a position comes back as it was saved") {
  const Position at{.step = 7,
                    .epoch = 1,
                    .batch = 3,
                    .seconds = 1.25,
                    .tokens = 900,
                    .best_step = 4,
                    .best_score = 12.3456789012345,
                    .best_loss = 0.1234567890123,
                    .validations_since_best = 2,
                    .validated_step = 5};
  const Settings settings = settings_of({});
  const Position back = position_from(to_metadata(at, settings), settings, "last");
  CHECK(back.step == 7);
  CHECK(back.epoch == 1);
  CHECK(back.batch == 3);
  CHECK(back.seconds == 1.25);
  CHECK(back.tokens == 900);
  CHECK(back.best_step == 4);
  CHECK(back.best_score == at.best_score);
  CHECK(back.best_loss == at.best_loss);
  CHECK(back.validations_since_best == 2);
  CHECK(back.validated_step == 5);
}

TEST_CASE("run state: a run goes on with the settings it began with, and may change its limits") {
  const RunConfig saved;
  CHECK(complaint(saved, saved).empty());
  for (const AnySetting* setting : saved.settings()) {
    RunConfig other;
    const std::string before = setting->text();
    const std::string value = setting->is_switch() ? "true" : before == "3" ? "4" : "3";
    other.find(setting->info().name).read(value);
    INFO(setting->info().name);
    CHECK(complaint(saved, other) ==
          (setting->info().on_resume == OnResume::kSame
               ? "train: --resume needs the run's --" + setting->info().name + " " + before +
                     "; got " + value
               : ""));
  }
}

TEST_CASE("run state: a run goes on with the corpus it began with") {
  std::vector<Pair> other = kCorpus;
  other[1].target[1] = 9;
  const Settings saved = settings_of({});
  const auto complaint_of = [&](const Settings& changed) {
    return message_of([&] { position_from(to_metadata({}, saved), changed, "last"); });
  };
  const Settings trained = run_settings({}, other, kCorpus);
  const Settings validated = run_settings({}, kCorpus, other);
  CHECK(complaint_of(trained) == "train: --resume needs the run's corpus of " + saved[0].second +
                                     "; got " + trained[0].second);
  CHECK(complaint_of(validated) == "train: --resume needs the run's validation set of " +
                                       saved[1].second + "; got " + validated[1].second);
  CHECK(saved[0].second.starts_with("2 pairs, hash "));
  CHECK(saved[0].second != trained[0].second);
}

TEST_CASE("run state: a damaged position is an error with the file's name") {
  const Settings settings = settings_of({});
  weft::Metadata metadata = to_metadata({}, settings);
  metadata["step"] = "-1";
  CHECK(message_of([&] { position_from(metadata, settings, "last"); }) ==
        "last: step must not be negative; got -1");
  CHECK(message_of([&] { position_from({}, settings, "last"); }) ==
        "last: does not say which corpus the run had");
}

TEST_CASE("run state: a checkpoint knows its model beyond the shapes of its weights") {
  ModelConfig model, other;
  other.heads = 8;
  const weft::Metadata metadata = to_metadata({}, settings_of({}));
  CHECK_NOTHROW(check_saved_model(metadata, model, "best"));
  CHECK(message_of([&] { check_saved_model(metadata, other, "best"); }) ==
        "best: is of a model with --heads 4; config.json has 8");
  CHECK(message_of([&] { check_saved_model({}, model, "best"); }) ==
        "best: does not say which model the run had");
}
