// Links of a measure in one layer and head, over many sentences.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>
#include <weft/seq2seq/lab/tables.h>

namespace weft {

using LinksOfSentences = std::vector<std::vector<Link>>;

struct WordLinks {
  LinksOfSentences strongest;  ///< strongest_links() of each map
  LinksOfSentences lexical;    ///< of the maps weighed by the lexicon of them all
};

/// The one of the subject's measures that has this name.
std::span<const Measure> measure_called(const Subject& subject, const std::string& name);

/// Of the first `count` sentences, by the measure, step, layer and head of a row. Where the measure
/// has no map of a sentence, that has no links.
WordLinks word_links(const Subject& subject, const AgreementTable::Row& at, int64_t count);

/// both_ways() of every sentence.
LinksOfSentences both_ways(const LinksOfSentences& links, const LinksOfSentences& reverse);

}  // namespace weft
