#include <fmt/core.h>
#include <weft/seq2seq/run/corpus_size.h>
#include <weft/seq2seq/text/subwords.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t kWordsPerSubword = 100, kMostSubwords = 10000;
constexpr int64_t kUpdatesPerPass = 50, kLeastTokens = 512, kMostTokens = 4096;
constexpr int64_t kWarmupPasses = 10, kLeastWarmup = 100, kMostWarmup = 2000;
constexpr int64_t kShortPass = 100;  // updates

// Sizes of sentences, as a batch counts them, without padding.
int64_t count_tokens(std::span<const Pair> pairs) {
  int64_t tokens = 0;
  for (const Pair& pair : pairs)
    tokens += std::max(std::ssize(pair.source), std::ssize(pair.target));
  return tokens;
}

void fit(AnySetting& setting, int64_t value) { setting.fit(std::to_string(value)); }

}  // namespace

void fit_vocabulary(TrainConfig& config, std::span<const std::string> sentences) {
  int64_t words = 0;
  for (const std::string& sentence : sentences) words += std::ssize(split_words(sentence));
  const int64_t size = std::min(words / kWordsPerSubword, kMostSubwords);
  fit(config.subwords, std::max(size, fewest_subwords(sentences)));
}

void fit_schedule(TrainConfig& config, std::span<const Pair> pairs) {
  fit(config.max_tokens,
      std::clamp(count_tokens(pairs) / kUpdatesPerPass, kLeastTokens, kMostTokens));
  const auto batches = std::ssize(training_batches(pairs, config.max_tokens, 0, 0).batches);
  const int64_t updates = (batches + config.accumulate - 1) / config.accumulate;
  fit(config.warmup, std::clamp(kWarmupPasses * updates, kLeastWarmup, kMostWarmup));
  if (updates < kShortPass) fit(config.patience, 20);
}

std::string fitted_settings(const TrainConfig& config) {
  std::string fitted;
  for (const AnySetting* setting : config.settings()) {
    if (setting->fitted())
      fitted += fmt::format("{} --{} {}", fitted.empty() ? "" : ",", setting->info().name,
                            setting->text());
  }
  return fitted;
}

}  // namespace weft
