// The share of sentences that are written exactly as their reference.
#pragma once

#include <span>
#include <string>

namespace weft {

/// In per cent. Throws if there are no sentences, or not as many of both.
double exact_match(std::span<const std::string> hypotheses,
                   std::span<const std::string> references);

}  // namespace weft
