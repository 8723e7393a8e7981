#include <weft/core/check.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/training/config.h>

#include <cmath>

namespace weft {
namespace {

void require(bool ok, const char* setting, double value, const char* expected) {
  check(ok, "{}: must be {}; got {:g}", setting, expected, value);
}

// Far more than any run reaches, and few enough that sums and products of two do not overflow.
constexpr int64_t kMost = 1000000000000;

void require_positive(int64_t value, const char* setting) {
  require(value > 0 && value <= kMost, setting, static_cast<double>(value), "in [1, 1e12]");
}

void require_count(int64_t value, const char* setting) {
  require(value >= 0 && value <= kMost, setting, static_cast<double>(value), "in [0, 1e12]");
}

void require_rate(double value, const char* setting) {
  require(value >= 0 && value < 1, setting, value, "in [0, 1)");
}

// Above this a model does not fit any machine that runs it; a damaged file stops here.
constexpr int64_t kLargest = int64_t{1} << 24;
constexpr double kMostParameters = 1e9;

// Weights of the matrices, roughly: embedding, attention (three times 4 d^2 a layer), feed-forward.
double parameters(const ModelConfig& c) {
  const auto d = static_cast<double>(c.d_model), ffn = static_cast<double>(c.ffn);
  return static_cast<double>(c.vocabulary) * d +
         static_cast<double>(c.layers) * (12 * d * d + 4 * d * ffn);
}

}  // namespace

void validate(const ModelConfig& c) {
  for (const auto& [setting, value] : {std::pair{"vocabulary", c.vocabulary},
                                       {"d-model", c.d_model},
                                       {"layers", c.layers},
                                       {"heads", c.heads},
                                       {"ffn", c.ffn}}) {
    require_positive(value, setting);
    require(value <= kLargest, setting, static_cast<double>(value), "below 2^24");
  }
  check(c.d_model % c.heads == 0, "d-model: must be a multiple of heads; got {} and {}", c.d_model,
        c.heads);
  require(c.d_model % 2 == 0, "d-model", static_cast<double>(c.d_model),
          "even, for the positions' sines and cosines");
  require(parameters(c) <= kMostParameters, "model", parameters(c), "of at most 1e9 parameters");
  require_rate(c.dropout, "dropout");
  require_rate(c.attention_dropout, "attention-dropout");
  require_rate(c.activation_dropout, "activation-dropout");
}

void save_config(const std::filesystem::path& dir, const ModelConfig& c) {
  write_file(dir / "config.json", to_json_text({{"vocabulary", c.vocabulary},
                                                {"d_model", c.d_model},
                                                {"layers", c.layers},
                                                {"heads", c.heads},
                                                {"ffn", c.ffn},
                                                {"dropout", c.dropout},
                                                {"attention_dropout", c.attention_dropout},
                                                {"activation_dropout", c.activation_dropout}}));
}

ModelConfig load_config(const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / "config.json";
  const std::string text = read_file(file);
  try {
    const JsonObject json = parse_json(text);
    const ModelConfig c{.vocabulary = integer_at(json, "vocabulary"),
                        .d_model = integer_at(json, "d_model"),
                        .layers = integer_at(json, "layers"),
                        .heads = integer_at(json, "heads"),
                        .ffn = integer_at(json, "ffn"),
                        .dropout = number_at(json, "dropout"),
                        .attention_dropout = number_at(json, "attention_dropout"),
                        .activation_dropout = number_at(json, "activation_dropout")};
    validate(c);
    return c;
  } catch (const Error& e) {
    fail("{}: not a model's settings: {}", file.string(), e.what());
  }
}

void validate(const TrainConfig& c) {
  require(c.subwords > 4, "vocab-size", static_cast<double>(c.subwords),
          "above 4, the special ids");
  require_positive(c.max_tokens, "max-tokens");
  require_positive(c.accumulate, "accumulate");
  require(c.learning_rate > 0 && std::isfinite(c.learning_rate), "lr", c.learning_rate,
          "positive and finite");
  require_positive(c.warmup, "warmup");
  require(c.decay >= 0 && std::isfinite(c.decay), "decay", c.decay, "finite, 0 or more");
  require_rate(c.label_smoothing, "label-smoothing");
  require(c.clip >= 0, "clip", c.clip, "0 or more");
  if (!c.metric.empty()) find_metric(builtin_metrics(), c.metric);
  require_positive(c.patience, "patience");
  require_positive(c.log_every, "log-every");
  require(c.minutes >= 0, "minutes", c.minutes, "0 or more");
  require_count(c.epochs, "epochs");
  require_count(c.steps, "steps");
  require_count(c.validate_every, "validate-every");
}

}  // namespace weft
