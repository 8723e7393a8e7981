#include <weft/seq2seq/training/config.h>

namespace weft {

CorpusFiles TrainConfig::files() const {
  return {train_source.value(), train_target.value(), valid_source.value(), valid_target.value()};
}

void validate(const TrainConfig& c) {
  for (const AnySetting* setting : c.settings()) setting->check_range();
}

}  // namespace weft
