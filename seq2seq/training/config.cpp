#include <weft/core/check.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/seq2seq/training/config.h>

#include <algorithm>

namespace weft {
namespace {

constexpr double kMostParameters = 1e9;

// Weights of the matrices, roughly: embedding, attention (three times 4 d^2 a layer), feed-forward.
double parameters(const ModelConfig& c) {
  const double d = static_cast<double>(c.d_model), ffn = static_cast<double>(c.ffn);
  return static_cast<double>(c.vocabulary) * d +
         static_cast<double>(c.layers) * (12 * d * d + 4 * d * ffn);
}

void check_ranges(const SettingGroup& group) {
  for (const AnySetting* setting : group.settings()) setting->check_range();
}

// "d-model" in config.json is "d_model".
std::string json_key(const AnySetting& setting) {
  std::string key = setting.info().name;
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

JsonValue json_value(const AnySetting& setting) {
  if (const auto* whole = dynamic_cast<const Setting<int64_t>*>(&setting)) return whole->value();
  if (const auto* number = dynamic_cast<const Setting<double>*>(&setting)) return number->value();
  return setting.text();
}

}  // namespace

void validate(const ModelConfig& c) {
  check(kSize.has(static_cast<double>(c.vocabulary)), "vocabulary: must be in {}; got {}",
        kSize.to_string(), c.vocabulary);
  check_ranges(c);
  check(c.d_model % c.heads == 0, "d-model: must be a multiple of heads; got {} and {}",
        c.d_model.value(), c.heads.value());
  check(c.d_model % 2 == 0, "d-model: must be even, for the positions' sines and cosines; got {}",
        c.d_model.value());
  check(parameters(c) <= kMostParameters,
        "model: must be of at most {:g} parameters; got {:g}, with vocabulary {}, d-model {}, "
        "layers {} and ffn {}",
        kMostParameters, parameters(c), c.vocabulary, c.d_model.value(), c.layers.value(),
        c.ffn.value());
}

void save_config(const std::filesystem::path& dir, const ModelConfig& c) {
  JsonObject json{{"vocabulary", c.vocabulary}};
  for (const AnySetting* setting : c.settings())
    json.emplace_back(json_key(*setting), json_value(*setting));
  write_file(dir / "config.json", to_json_text(json));
}

ModelConfig load_config(const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / "config.json";
  const std::string text = read_file(file);
  try {
    const JsonObject json = parse_json(text);
    ModelConfig c;
    c.vocabulary = integer_at(json, "vocabulary");
    for (AnySetting* setting : c.settings()) setting->read(text_at(json, json_key(*setting)));
    validate(c);
    return c;
  } catch (const Error& e) {
    fail("{}: not a model's settings: {}", file.string(), e.what());
  }
}

CorpusFiles TrainConfig::files() const {
  return {train_files.files(), valid_files.files(), test_files.files()};
}

std::array<SplitSettings*, 3> TrainConfig::file_settings() {
  return {&train_files, &valid_files, &test_files};
}

void validate(const TrainConfig& c) {
  check_ranges(c);
  find_tokens(c.tokens);
  if (!c.metric.value().empty()) find_metric(builtin_metrics(), c.metric);
}

}  // namespace weft
