// Settings that follow the size of the corpus where neither the user nor the task says otherwise:
// what suits a million sentences never gets going on a thousand.
#pragma once

#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/text/batching.h>

#include <span>
#include <string>

namespace weft {

/// Sets vocab-size: a subword for every 100 words, but for every character, and 10000 at most.
void fit_vocabulary(TrainConfig& config, std::span<const std::string> sentences);

/// Sets max-tokens for at least 50 updates a pass, within [512, 4096]; warmup for 10 passes, within
/// [100, 2000]; and patience, 20 validations where a pass has fewer than 100 updates. Limits have
/// no say: a run that was stopped early and goes on is the run that was not.
void fit_schedule(TrainConfig& config, std::span<const Pair> pairs);

/// The settings that follow from the corpus's size, as " --NAME VALUE, --NAME VALUE"; empty if none
/// does.
std::string fitted_settings(const TrainConfig& config);

}  // namespace weft
