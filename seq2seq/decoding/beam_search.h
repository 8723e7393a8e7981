// Beam search: at every step the best few unfinished beginnings of a translation are continued. A
// beam of one is greedy search. The search ends with as many finished translations as the beam is
// wide. Finished translations are compared by their log-probability over
//   ((5 + length) / 6)^alpha        (Wu et al., "Google's neural machine translation system", 2016)
#pragma once

#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/text/batching.h>

#include <vector>

namespace weft {

struct SearchOptions {
  int64_t beam = 1;           ///< unfinished beginnings kept at every step
  double length_penalty = 1;  ///< alpha; 0 favours short translations, larger values long ones
};

/// The best translation of each source (ids that end with kEnd), without begin and end.
std::vector<Ids> beam_search(Seq2SeqModel& model, const PaddedIds& sources,
                             const SearchOptions& options);

}  // namespace weft
