// A report as the bytes of a file.
#pragma once

#include <weft/seq2seq/lab/report.h>

#include <string>

namespace weft {

/// One JSON object, "format": "weft-lab 1" (docs/lab.md). Numbers have five significant digits; one
/// that is not finite is null.
std::string to_json(const Report& report);

/// A page that holds the same JSON, and all that it needs to be looked at without a network.
std::string to_html(const Report& report);

/// A line for each number of maps and tokens: sentence, measure, place, layer, head, row, column,
/// the tokens of row and column, value. Counts from 1; a field that says nothing is empty.
std::string to_csv(const Report& report);

/// NumPy's archive, uncompressed. Arrays: "S/source", "S/target", "S/predicted" (strings) and
/// "S/log_probs" of sentence S from 0, "S/MEASURE/PLACE" [layers, heads, rows, columns] in float32,
/// "S/MEASURE/source" or "S/MEASURE/target" [tokens], and "heads/PLACE/NUMBER" [layers, heads].
std::string to_npz(const Report& report);

/// For a terminal: cross-attention drawn, in colour if `colour`, and the tables.
std::string to_text(const Report& report, bool colour);

}  // namespace weft
