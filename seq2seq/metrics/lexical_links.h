// Which words belong together, by all sentences: a map of attention says how strongly the words of
// one sentence are linked; what maps say of the same two words elsewhere tells a link that is meant
// from one that serves this sentence alone. With A_ij what a map says of target word i, f_i, and
// source word j, e_j, its rows made to sum to 1,
//   t(f | e) = sum of A_ij over all i, j where f_i = f and e_j = e
//              / sum of A_ij over all i, j where e_j = e,
//   B_ij = A_ij t(f_i | e_j).
// This is a step of expectation maximization in IBM's Model 1 (Brown et al., "The mathematics of
// statistical machine translation", CL 1993), with A in place of its uniform alignments. It needs
// no gold links.
#pragma once

#include <weft/seq2seq/metrics/alignment.h>
#include <weft/seq2seq/text/batching.h>

#include <span>
#include <vector>

namespace weft {

/// The words of a pair, as ids, and a number for each two of them.
struct WordMap {
  Ids source, target;
  AttentionMap map;  ///< [target words, source words]
};

/// B of every sentence, A being its numbers; those that are negative or not finite count as 0, and
/// a row of zeros stays one. Throws if a map is not as large as its words are many.
std::vector<AttentionMap> lexical_maps(std::span<const WordMap> sentences);

/// The links of a model and those of one that translates the other way, where its target is the
/// source: the union of Och and Ney 2003, each link once, in order.
std::vector<Link> both_ways(std::span<const Link> links, std::span<const Link> reverse);

}  // namespace weft
