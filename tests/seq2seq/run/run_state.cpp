#include <weft/seq2seq/run/run_state.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

const ParallelText kCorpus{{"a b", "c"}, {"x y", "z"}};

Settings settings_of(const RunConfig& config) { return run_settings(config, kCorpus, kCorpus); }

// What the program says when a run with these settings is to go on with those.
std::string complaint(const RunConfig& saved, const RunConfig& resumed) {
  const weft::Metadata metadata = to_metadata({}, settings_of(saved), "00ff");
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
                    .validated_step = 5,
                    .interval = {.loss = 1.0 / 3, .seconds = 0.25, .tokens = 17}};
  const Settings settings = settings_of({});
  const Position back = position_from(to_metadata(at, settings, "00ff"), settings, "last");
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
  CHECK(back.interval.loss == at.interval.loss);
  CHECK(back.interval.seconds == 0.25);
  CHECK(back.interval.tokens == 17);
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
  const ParallelText other{kCorpus.source, {"x y", "w"}};
  const Settings saved = settings_of({});
  const auto complaint_of = [&](const Settings& changed) {
    return message_of([&] { position_from(to_metadata({}, saved, ""), changed, "last"); });
  };
  const Settings trained = run_settings({}, other, kCorpus);
  const Settings validated = run_settings({}, kCorpus, other);
  CHECK(complaint_of(trained) == "train: --resume needs the run's corpus of " + saved[0].second +
                                     "; got " + trained[0].second);
  CHECK(complaint_of(validated) == "train: --resume needs the run's validation set of " +
                                       saved[1].second + "; got " + validated[1].second);
  CHECK(saved[0].second.starts_with("2 pairs, crc32c "));
  CHECK(saved[0].second != trained[0].second);
  const ParallelText moved{{"a", "b c"}, {"x y", "z"}}, swapped{{"x y", "z"}, {"a b", "c"}};
  for (const ParallelText& text : {moved, swapped})
    CHECK(run_settings({}, text, kCorpus)[0] != saved[0]);
}

TEST_CASE("run state: a damaged position is an error with the file's name") {
  const Settings settings = settings_of({});
  const auto fault = [&](const std::string& key, const std::string& value) {
    weft::Metadata metadata = to_metadata({.step = 7}, settings, "00ff");
    metadata[key] = value;
    return message_of([&] { position_from(metadata, settings, "last"); });
  };
  CHECK(fault("step", "-1") == "last: step must be in [0, 1000000000000]; got -1");
  CHECK(fault("step", "4611686018427387904") ==
        "last: step must be in [0, 1000000000000]; got 4611686018427387904");
  for (const std::string key : {"epoch", "best_step", "validated_step"})
    CHECK(fault(key, "8") == "last: " + key + " must be in [0, 7]; got 8");
  CHECK(message_of([&] { position_from({}, settings, "last"); }) ==
        "last: does not say which corpus the run had");
}

TEST_CASE("run state: a checkpoint knows its model beyond the shapes of its weights") {
  ModelConfig model, other, foreign;
  other.heads = 8;
  model.run = other.run = "00ff";
  foreign.run = "1234";
  const weft::Metadata metadata = to_metadata({}, settings_of({}), "00ff");
  CHECK_NOTHROW(check_saved_model(metadata, model, "best"));
  CHECK(message_of([&] { check_saved_model(metadata, other, "best"); }) ==
        "best: is of a model with --heads 4; config.json has 8");
  CHECK(message_of([&] { check_saved_model(metadata, foreign, "best"); }) ==
        "best is of run 00ff, but config.json of run 1234: they do not belong together");
  CHECK(message_of([&] { check_saved_model({}, ModelConfig(), "best"); }) ==
        "best: does not say which model the run had");
}
