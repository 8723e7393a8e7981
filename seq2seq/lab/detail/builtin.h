// The built-in measures, by their files.
#pragma once

#include <weft/seq2seq/lab/measure.h>

namespace weft {

std::vector<Measure> attention_measures();
std::vector<Measure> token_measures();

}  // namespace weft
