// Pictures of one sentence's attention: small heat maps, a row of them per layer, one per head.
// Within a map, columns are source tokens and rows are target tokens. Colour stands for the square
// root of the weight, so that the many small weights of long sentences can be told from none.
// Weights may be negative, as gradients of attention are: their size and their sign are both seen.
#pragma once

#include <weft/seq2seq/pictures/attention_map.h>

#include <string>
#include <vector>

namespace weft {

struct AttentionPicture {
  std::vector<std::string> source;  ///< labels of the columns
  std::vector<std::string> target;  ///< labels of the rows
  AttentionMaps maps;               ///< each of target.size() rows and source.size() columns
};

/// For a terminal `width` cells wide, heads side by side as space allows: true colour if `colour`,
/// else blocks of five shades. Throws unless the maps and labels agree.
std::string draw_for_terminal(const AttentionPicture& picture, bool colour, size_t width = 100);

/// A self-contained SVG file; pointing at a cell shows its words and weight.
/// Throws unless the maps and labels agree.
std::string draw_svg(const AttentionPicture& picture);

}  // namespace weft
