// A part of a corpus to validate on, where the user names none.
#pragma once

#include <weft/seq2seq/text/text_file.h>

namespace weft {

/// Moves pairs from `text` to the result, in their order: 5 % of them, rounded down, but at least 1
/// and at most 1000. They are drawn with a seed of their own, so that every run is judged on the
/// same ones, and with all pairs of a source, so that none of those sources is trained on; a source
/// with too many pairs stays. Only if every source has too many, the limit is the rarest's number.
/// Throws unless there are two different sources.
ParallelText hold_out(ParallelText& text);

}  // namespace weft
