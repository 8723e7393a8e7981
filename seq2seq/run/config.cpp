#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/config.h>

namespace weft {

TrainConfig::TrainConfig() = default;
TrainConfig::TrainConfig(const TrainConfig& other) = default;
TrainConfig& TrainConfig::operator=(const TrainConfig& other) = default;
TrainConfig::~TrainConfig() = default;

CorpusFiles TrainConfig::files() const {
  return {train_files.files(), valid_files.files(), test_files.files()};
}

std::array<SplitSettings*, 3> TrainConfig::file_settings() {
  return {&train_files, &valid_files, &test_files};
}

void validate(const TrainConfig& c) {
  for (const AnySetting* setting : c.settings()) setting->check_range();
  check(c.ema == 0 || c.average == 0,
        "train: --ema and --average exclude each other; got {} and {}", c.ema.value(),
        c.average.value());
  check(
      c.local_steps == 1 || !c.shard_optimizer,
      "train: --local-steps and --shard-optimizer exclude each other: ranks that train alone have "
      "optimizers of their own; got {} and {}",
      c.local_steps.value(), c.shard_optimizer.text());
}

}  // namespace weft
