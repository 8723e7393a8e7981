#include <weft/seq2seq/training/run_state.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

const std::vector<Pair> kCorpus{{{4, 5, 3}, {2, 6, 3}}, {{7, 3}, {2, 8, 9, 3}}};

// What the program says when a run with these settings is to go on with those.
std::string complaint(const TrainConfig& saved, const TrainConfig& resumed) {
  const weft::Metadata metadata = to_metadata({}, run_settings(saved, kCorpus));
  return message_of([&] { position_from(metadata, run_settings(resumed, kCorpus), "last"); });
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
  const Settings settings = run_settings({}, kCorpus);
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

TEST_CASE("run state: a run goes on with the settings it began with") {
  TrainConfig saved, other;
  CHECK(complaint(saved, other).empty());
  other.steps = 1000;  // limits may change
  other.log_every = 1;
  CHECK(complaint(saved, other).empty());
  const auto with = [&](auto TrainConfig::*setting, auto value) {
    TrainConfig changed;
    changed.*setting = value;
    return complaint(saved, changed);
  };
  const std::string needs = "train: --resume needs the run's ";
  CHECK(with(&TrainConfig::learning_rate, 0.1) == needs + "--lr 0.005; got 0.1");
  CHECK(with(&TrainConfig::warmup, 7) == needs + "--warmup 2000; got 7");
  CHECK(with(&TrainConfig::decay, 1) == needs + "--decay 0.5; got 1");
  CHECK(with(&TrainConfig::label_smoothing, 0) == needs + "--label-smoothing 0.1; got 0");
  CHECK(with(&TrainConfig::clip, 2) == needs + "--clip 0; got 2");
  CHECK(with(&TrainConfig::max_tokens, 64) == needs + "--max-tokens 4096; got 64");
  CHECK(with(&TrainConfig::accumulate, 2) == needs + "--accumulate 1; got 2");
  CHECK(with(&TrainConfig::metric, "chrf") == needs + "--metric ; got chrf");
  CHECK(with(&TrainConfig::seed, uint64_t{2}) == needs + "--seed 1; got 2");
}

TEST_CASE("run state: a run goes on with the corpus it began with") {
  std::vector<Pair> other = kCorpus;
  other[1].target[1] = 9;
  const Settings saved = run_settings({}, kCorpus), changed = run_settings({}, other);
  const std::string message =
      message_of([&] { position_from(to_metadata({}, saved), changed, "last"); });
  CHECK(message == "train: --resume needs the run's corpus of " + saved[0].second + "; got " +
                       changed[0].second);
  CHECK(saved[0].second.starts_with("2 pairs, hash "));
  CHECK(saved[0].second != changed[0].second);
}

TEST_CASE("run state: a damaged position is an error with the file's name") {
  const Settings settings = run_settings({}, kCorpus);
  weft::Metadata metadata = to_metadata({}, settings);
  metadata["step"] = "-1";
  CHECK(message_of([&] { position_from(metadata, settings, "last"); }) ==
        "last: step must not be negative; got -1");
  CHECK(message_of([&] { position_from({}, settings, "last"); }) ==
        "last: does not say which corpus the run had");
}

TEST_CASE("run state: options of the model must not contradict the saved one") {
  ModelConfig saved, asked;
  asked.d_model = 64;
  asked.dropout = 0.5;
  CHECK_NOTHROW(check_model_options(asked, saved, {"layers"}));  // defaults are no wish
  CHECK(message_of([&] { check_model_options(asked, saved, {"d-model"}); }) ==
        "train: --resume needs the model's --d-model 128; got 64");
  CHECK(message_of([&] { check_model_options(asked, saved, {"dropout"}); }) ==
        "train: --resume needs the model's --dropout 0.1; got 0.5");
}

TEST_CASE("run state: a checkpoint knows its model beyond the shapes of its weights") {
  ModelConfig model, other;
  other.heads = 8;
  const weft::Metadata metadata = to_metadata({}, model_settings(model));
  CHECK_NOTHROW(check_saved_model(metadata, model, "best"));
  CHECK(message_of([&] { check_saved_model(metadata, other, "best"); }) ==
        "best: is of a model with --heads 4; config.json has 8");
  CHECK(message_of([&] { check_saved_model({}, model, "best"); }) ==
        "best: does not say which d-model the run had");
}
