// The corpus is known by its size and by a hash of its ids: FNV-1a (Fowler, Noll, Vo) over whole
// words,  h <- (h xor word) * prime.
#include <weft/core/detail/check.h>
#include <weft/optim/checkpoint.h>
#include <weft/seq2seq/training/run_state.h>

#include <bit>
#include <cmath>

namespace weft {
namespace {

uint64_t hash(std::span<const Pair> pairs) {
  uint64_t h = 0xcbf29ce484222325;
  const auto mix = [&h](int64_t word) { h = (h ^ static_cast<uint64_t>(word)) * 0x100000001b3; };
  for (const Pair& pair : pairs) {
    for (const Ids* side : {&pair.source, &pair.target}) {
      mix(std::ssize(*side));
      for (const int64_t id : *side) mix(id);
    }
  }
  return h;
}

std::string key_of(const std::string& setting) { return fmt::format("setting.{}", setting); }

constexpr const char* kCorpus = "corpus";
constexpr const char* kValidation = "validation set";

// "--lr 0.005", but "corpus of 300 pairs, hash ..."
std::string describe(const std::string& name, const std::string& value) {
  return name == kCorpus || name == kValidation ? fmt::format("{} of {}", name, value)
                                                : fmt::format("--{} {}", name, value);
}

std::string size_and_hash(std::span<const Pair> pairs) {
  return fmt::format("{} pairs, hash {:016x}", pairs.size(), hash(pairs));
}

void append(Settings& all, const SettingGroup& group) {
  for (const AnySetting* setting : group.settings()) {
    if (setting->info().on_resume == OnResume::kSame)
      all.emplace_back(setting->info().name, setting->text());
  }
}

const std::string& saved_setting(const Metadata& metadata, const std::string& name,
                                 const std::string& file) {
  const auto saved = metadata.find(key_of(name));
  check(saved != metadata.end(), "{}: does not say which {} the run had", file, name);
  return saved->second;
}

}  // namespace

Settings run_settings(const RunConfig& config, std::span<const Pair> corpus,
                      std::span<const Pair> validation) {
  Settings all{{kCorpus, size_and_hash(corpus)}, {kValidation, size_and_hash(validation)}};
  append(all, config.train);
  append(all, config.model);
  return all;
}

Metadata to_metadata(const Position& at, const Settings& settings) {
  Metadata metadata{{"step", std::to_string(at.step)},
                    {"epoch", std::to_string(at.epoch)},
                    {"batch", std::to_string(at.batch)},
                    {"tokens", std::to_string(at.tokens)},
                    {"validations_since_best", std::to_string(at.validations_since_best)},
                    {"validated_step", std::to_string(at.validated_step)},
                    {"milliseconds", std::to_string(std::llround(1e3 * at.seconds))},
                    {"best_step", std::to_string(at.best_step)},
                    {"best_score_bits", std::to_string(std::bit_cast<int64_t>(at.best_score))},
                    {"best_loss_bits", std::to_string(std::bit_cast<int64_t>(at.best_loss))}};
  for (const auto& setting : settings) metadata[key_of(setting.first)] = setting.second;
  return metadata;
}

Position position_from(const Metadata& metadata, const Settings& settings,
                       const std::string& file) {
  for (const auto& [name, value] : settings) {
    const std::string& saved = saved_setting(metadata, name, file);
    check(saved == value, "train: --resume needs the run's {}; got {}", describe(name, saved),
          value);
  }
  const auto count = [&](const char* key) {
    const int64_t n = integer_at(metadata, key);
    check(n >= 0, "{}: {} must not be negative; got {}", file, key, n);
    return n;
  };
  return {.step = count("step"),
          .epoch = count("epoch"),
          .batch = count("batch"),
          .seconds = 1e-3 * static_cast<double>(count("milliseconds")),
          .tokens = count("tokens"),
          .best_step = count("best_step"),
          .best_score = std::bit_cast<double>(integer_at(metadata, "best_score_bits")),
          .best_loss = std::bit_cast<double>(integer_at(metadata, "best_loss_bits")),
          .validations_since_best = count("validations_since_best"),
          .validated_step = count("validated_step")};
}

void check_saved_model(const Metadata& metadata, const ModelConfig& config,
                       const std::string& file) {
  Settings settings;
  append(settings, config);
  for (const auto& [name, value] : settings) {
    const std::string& saved = saved_setting(metadata, name, file);
    check(saved == value, "{}: is of a model with {}; config.json has {}", file,
          describe(name, saved), value);
  }
}

}  // namespace weft
