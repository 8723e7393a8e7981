#include <weft/core/detail/check.h>
#include <weft/optim/checkpoint.h>
#include <weft/seq2seq/models/torch_model.h>
#include <weft/seq2seq/run/run_state.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>
#include <iostream>

namespace weft {
namespace {

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

std::filesystem::path config_file(const std::filesystem::path& dir) { return dir / "config.json"; }

// What `act` gives; its errors are those of the settings in `dir`.
template <class Act>
auto with_config_errors(const std::filesystem::path& dir, Act act) {
  try {
    return act();
  } catch (const Error& e) {
    fail("{}: not a model's settings: {}", config_file(dir).string(), e.what());
  }
}

// PyTorch's models have one vocabulary, or one for each side.
constexpr const char* kSourceVocabulary = "source_vocabulary.json";
constexpr const char* kTargetVocabulary = "target_vocabulary.json";

LoadedModel load_from_torch(const std::filesystem::path& dir) {
  LoadedModel loaded;
  TorchModel found;
  if (is_there(dir / kSourceVocabulary)) {
    const auto source = load_vocabulary(dir, {}, kSourceVocabulary);
    const auto target = load_vocabulary(dir, {}, kTargetVocabulary);
    loaded.vocabulary = joint_vocabulary(*source, *target);
    found = load_torch_model(dir, torch_side(*source, *loaded.vocabulary),
                             torch_side(*target, *loaded.vocabulary));
  } else {
    loaded.vocabulary = load_vocabulary(dir);
    const TorchSide both = torch_side(*loaded.vocabulary, *loaded.vocabulary);
    found = load_torch_model(dir, both, both);
  }
  loaded.model = std::move(found.model);
  loaded.config = std::move(found.config);
  return loaded;
}

// Before a model is made: settings may ask for one that takes hours to make and all the memory.
// Lenient, for a model of one's own may do without most of what the settings speak of.
void check_size(const ModelConfig& c, const SafetensorsFile& weights) {
  constexpr double kTimes = 64, kSmall = 1e6;
  constexpr int64_t kFewLayers = 64;
  double elements = 0;
  for (const NamedTensor& t : weights.tensors) elements += static_cast<double>(t.tensor.numel());
  check(rough_parameters(c) <= kTimes * elements + kSmall,
        "of about {:g} parameters, but {} has {:g}", rough_parameters(c), weights.path, elements);
  const int64_t depth = c.encoder_depth() + c.decoder_depth(),
                tensors = std::ssize(weights.tensors);
  check(depth <= std::max(tensors, kFewLayers), "of {} layers, but {} has {} tensors", depth,
        weights.path, tensors);
}

void load_weights(Module& model, const SafetensorsFile& weights) try {
  model.load_state_dict(weights.tensors);
} catch (const Error& e) {
  fail("{}: {}", weights.path, e.what());
}

LoadedModel load_trained(const std::filesystem::path& dir, std::span<const ModelKind> kinds) {
  const ModelConfig config = load_config(dir);
  LoadedModel loaded{load_vocabulary(dir, config.run), nullptr, config};
  check(loaded.vocabulary->size() == config.vocabulary,
        "{}: config.json has {} ids, vocabulary.json {}", dir.string(), config.vocabulary,
        loaded.vocabulary->size());
  const SafetensorsFile best = load_safetensors((dir / kBestCheckpoint).string(), "model.");
  const Metadata progress = progress_of(best);
  check_saved_model(progress, config, best.path);
  check_is_best(progress, best.path);
  loaded.model = with_config_errors(dir, [&] {
    check_size(config, best);
    return find_named(kinds, config.model, "model").make(config, Generator(0));
  });
  load_weights(*loaded.model, best);
  if (!best.has_checksums)
    std::cerr << "weft: warning: " << dir.string()
              << " is from before weft wrote checksums: damage would go unnoticed\n";
  return loaded;
}

}  // namespace

void save_config(const std::filesystem::path& dir, const ModelConfig& c) {
  JsonObject json{{"vocabulary", c.vocabulary}};
  for (const AnySetting* setting : c.settings())
    json.emplace_back(json_key(*setting), json_value(*setting));
  write_file(config_file(dir), seal_json(std::move(json), c.run));
}

ModelConfig load_config(const std::filesystem::path& dir) {
  const std::string text = read_file(config_file(dir));
  return with_config_errors(dir, [&] {
    JsonObject json = parse_json(text);
    ModelConfig c;
    c.run = open_seal(json);
    c.vocabulary = integer_at(json, "vocabulary");
    for (AnySetting* setting : c.settings()) {
      const std::string key = json_key(*setting);
      if (!setting->info().newer_than_files || has(json, key)) setting->read(text_at(json, key));
    }
    validate(c);
    return c;
  });
}

bool is_from_torch(const std::filesystem::path& dir) {
  return is_there(dir / kTorchWeights) && !is_there(dir / kBestCheckpoint);
}

LoadedModel load_model(const std::filesystem::path& dir, std::span<const ModelKind> kinds) {
  LoadedModel loaded = is_from_torch(dir) ? load_from_torch(dir) : load_trained(dir, kinds);
  loaded.model->eval();
  return loaded;
}

}  // namespace weft
