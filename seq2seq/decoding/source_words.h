// What of a source a translation speaks of, as its cross-attention tells: links between words, and
// how much of the source is covered. Attention here is the mean over the heads of one layer, the
// last but one (Garg et al., "Jointly learning to align and translate with Transformer models",
// EMNLP 2019), or the only one.
#pragma once

#include <weft/seq2seq/decoding/decode.h>
#include <weft/seq2seq/metrics/alignment.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <string>

namespace weft {

/// Row t is of the step that writes target[t], or the end after them; a column for each id of the
/// source, kEnd included. `target` is without kBegin and kEnd. Throws if the model has no
/// cross-attention to show.
AttentionMap mean_attention(Seq2SeqModel& model, const Ids& source, const Ids& target);

/// Which word each id is a part of, from 0; -1 for blanks that are ids.
std::vector<int64_t> words_of(const Vocabulary& vocabulary, const Ids& ids);

/// For each target id, the word it is a part of linked to the source word that its step attends to
/// most; in order, each link once. `source` is with kEnd, `target` without.
std::vector<Link> word_links(Seq2SeqModel& model, const Vocabulary& vocabulary, const Ids& source,
                             const Ids& target);

/// "0-0 1-2": source-target pairs as Pharaoh, Moses and others write them.
std::string to_pharaoh(const std::vector<Link>& links);

/// Of Wu et al., "Google's neural machine translation system" (2016), for beta = 1: with a_ti the
/// attention of step t to source id i, kEnd left out,
///   cp = sum_i log(min(sum_t a_ti, 1)).
/// At most 0; the less attention an id got, the lower.
double coverage_penalty(const AttentionMap& attention);

/// Adds `beta` times the coverage penalty to each score and sorts again, what ended first.
void rank_by_coverage(Seq2SeqModel& model, const Ids& source, double beta,
                      std::vector<Hypothesis>& found);

}  // namespace weft
