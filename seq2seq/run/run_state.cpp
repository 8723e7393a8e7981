// The corpus is known by its size and by a checksum of its text.
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/optim/checkpoint.h>
#include <weft/seq2seq/run/run_state.h>
#include <weft/seq2seq/text/seal.h>

#include <cmath>
#include <optional>
#include <string_view>

namespace weft {
namespace {

std::string key_of(const std::string& setting) { return fmt::format("setting.{}", setting); }

constexpr const char* kCorpus = "corpus";
constexpr const char* kValidation = "validation set";
constexpr const char* kRun = "run";

// "--lr 0.005", but "corpus of 300 pairs, crc32c ..."
std::string describe(const std::string& name, const std::string& value) {
  return name == kCorpus || name == kValidation ? fmt::format("{} of {}", name, value)
                                                : fmt::format("--{} {}", name, value);
}

std::string size_and_checksum(const ParallelText& text) {
  constexpr std::string_view kEnd = "\n";  // is in no sentence
  uint32_t sum = 0;
  for (size_t i = 0; i < text.source.size(); ++i)
    for (const std::string* sentence : {&text.source[i], &text.target[i]})
      sum = crc32c(kEnd, crc32c(*sentence, sum));
  return fmt::format("{} pairs, crc32c {:08x}", text.source.size(), sum);
}

void append(Settings& all, const SettingGroup& group) {
  for (const AnySetting* setting : group.settings()) {
    if (setting->info().on_resume == OnResume::kSame)
      all.emplace_back(setting->info().name, setting->text());
  }
}

// The default of a setting that came later than the first files.
std::optional<std::string> of_older_files(const std::string& name) {
  const RunConfig standard;
  for (const AnySetting* setting : standard.settings())
    if (setting->info().name == name && setting->info().newer_than_files) return setting->text();
  return {};
}

std::string saved_setting(const Metadata& metadata, const std::string& name,
                          const std::string& file) {
  const auto saved = metadata.find(key_of(name));
  if (saved == metadata.end())
    if (const auto standard = of_older_files(name)) return *standard;
  check(saved != metadata.end(), "{}: does not say which {} the run had", file, name);
  return saved->second;
}

}  // namespace

Settings run_settings(const RunConfig& config, const ParallelText& corpus,
                      const ParallelText& validation) {
  Settings all{{kCorpus, size_and_checksum(corpus)}, {kValidation, size_and_checksum(validation)}};
  append(all, config.train);
  append(all, config.model);
  return all;
}

Metadata to_metadata(const Position& at, const Settings& settings, const std::string& run) {
  Metadata metadata;
  const auto put = [&](const char* key, int64_t value) { metadata[key] = std::to_string(value); };
  const auto put_bits = [&](const char* key, double value) {
    put(key, __builtin_bit_cast(int64_t, value));
  };
  const auto put_milliseconds = [&](const char* key, double seconds) {
    put(key, std::llround(1e3 * seconds));
  };
  put("step", at.step);
  put("epoch", at.epoch);
  put("batch", at.batch);
  put("tokens", at.tokens);
  put_milliseconds("milliseconds", at.seconds);
  put("validations_since_best", at.validations_since_best);
  put("validated_step", at.validated_step);
  put("plateaus", at.plateaus);
  put("best_step", at.best_step);
  put_bits("best_score_bits", at.best_score);
  put_bits("best_loss_bits", at.best_loss);
  put_bits("interval_loss_bits", at.interval.loss);
  put("interval_tokens", at.interval.tokens);
  put_milliseconds("interval_milliseconds", at.interval.seconds);
  put("interval_skipped", at.interval.skipped);
  for (const auto& setting : settings) metadata[key_of(setting.first)] = setting.second;
  if (!run.empty()) metadata[kRun] = run;
  return metadata;
}

Position position_from(const Metadata& metadata, const Settings& settings,
                       const std::string& file) {
  for (const auto& [name, value] : settings) {
    const std::string saved = saved_setting(metadata, name, file);
    check(saved == value, "train: --resume needs the run's {}; got {}", describe(name, saved),
          value);
  }
  const auto count = [&](const char* key, int64_t most = static_cast<int64_t>(kMost)) {
    const int64_t n = integer_at(metadata, key);
    check(n >= 0 && n <= most, "{}: {} must be in [0, {}]; got {}", file, key, most, n);
    return n;
  };
  const auto seconds = [&](const char* key) { return 1e-3 * static_cast<double>(count(key)); };
  const auto number = [&](const char* key) {
    return __builtin_bit_cast(double, integer_at(metadata, key));
  };
  const int64_t step = count("step");
  return {.step = step,
          .epoch = count("epoch", step),
          .batch = count("batch"),
          .seconds = seconds("milliseconds"),
          .tokens = count("tokens"),
          .best_step = count("best_step", step),
          .best_score = number("best_score_bits"),
          .best_loss = number("best_loss_bits"),
          .validations_since_best = count("validations_since_best"),
          .validated_step = count("validated_step", step),
          .plateaus = metadata.contains("plateaus") ? count("plateaus") : 0,
          .interval = {.loss = number("interval_loss_bits"),
                       .seconds = seconds("interval_milliseconds"),
                       .tokens = count("interval_tokens"),
                       .skipped = count("interval_skipped")}};
}

std::string run_of(const Metadata& metadata) {
  const auto found = metadata.find(kRun);
  return found == metadata.end() ? "" : found->second;
}

void check_is_best(const Metadata& metadata, const std::string& file) {
  const int64_t step = integer_at(metadata, "step"), best = integer_at(metadata, "best_step");
  check(best == step || best == 0,  // 0: saved before the first validation
        "{}: is not the best checkpoint of its run: it is of step {}, the best was of step {}",
        file, step, best);
}

void check_saved_model(const Metadata& metadata, const ModelConfig& config,
                       const std::string& file) {
  check_same_run(file, run_of(metadata), "config.json", config.run);
  Settings settings;
  append(settings, config);
  for (const auto& [name, value] : settings) {
    const std::string saved = saved_setting(metadata, name, file);
    check(saved == value, "{}: is of a model with {}; config.json has {}", file,
          describe(name, saved), value);
  }
}

}  // namespace weft
