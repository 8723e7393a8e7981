// The corpus is known by its size and by a hash of its ids: FNV-1a (Fowler, Noll, Vo) over whole
// words,  h <- (h xor word) * prime.
#include <weft/core/check.h>
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

std::string text(double value) { return fmt::format("{}", value); }

std::string key_of(const std::string& setting) { return fmt::format("setting.{}", setting); }

// "--lr 0.005", but "corpus of 300 pairs, hash ..."
std::string describe(const std::string& name, const std::string& value) {
  return name == "corpus" ? fmt::format("{} of {}", name, value)
                          : fmt::format("--{} {}", name, value);
}

const std::string& saved_setting(const Metadata& metadata, const std::string& name,
                                 const std::string& file) {
  const auto saved = metadata.find(key_of(name));
  check(saved != metadata.end(), "{}: does not say which {} the run had", file, name);
  return saved->second;
}

}  // namespace

Settings run_settings(const TrainConfig& c, std::span<const Pair> corpus) {
  return {{"corpus", fmt::format("{} pairs, hash {:016x}", corpus.size(), hash(corpus))},
          {"seed", std::to_string(c.seed)},
          {"max-tokens", std::to_string(c.max_tokens)},
          {"accumulate", std::to_string(c.accumulate)},
          {"lr", text(c.learning_rate)},
          {"warmup", std::to_string(c.warmup)},
          {"decay", text(c.decay)},
          {"label-smoothing", text(c.label_smoothing)},
          {"clip", text(c.clip)},
          {"metric", c.metric}};
}

Settings model_settings(const ModelConfig& c) {
  return {{"d-model", std::to_string(c.d_model)},
          {"layers", std::to_string(c.layers)},
          {"heads", std::to_string(c.heads)},
          {"ffn", std::to_string(c.ffn)},
          {"dropout", text(c.dropout)},
          {"attention-dropout", text(c.attention_dropout)},
          {"activation-dropout", text(c.activation_dropout)}};
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
  for (const auto& [name, value] : model_settings(config)) {
    const std::string& saved = saved_setting(metadata, name, file);
    check(saved == value, "{}: is of a model with {}; config.json has {}", file,
          describe(name, saved), value);
  }
}

void check_model_options(const ModelConfig& asked, const ModelConfig& saved,
                         const std::set<std::string>& given) {
  const Settings wanted = model_settings(asked), present = model_settings(saved);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& [name, value] = wanted[i];
    check(!given.contains(name) || value == present[i].second,
          "train: --resume needs the model's {}; got {}", describe(name, present[i].second), value);
  }
}

}  // namespace weft
