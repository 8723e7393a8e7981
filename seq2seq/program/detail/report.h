// The end of a training run: what the best model can do, for people and as summary.json.
#pragma once

#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/catalog.h>
#include <weft/seq2seq/run/metrics_log.h>
#include <weft/seq2seq/run/ranks.h>
#include <weft/seq2seq/tasks/corpus.h>

#include <filesystem>

namespace weft {

/// Loads the best model of `dir`, scores it on the corpus's tests (on its validation split where
/// there are none), writes summary.json and tells examples, scores and where things are. Splits
/// with gold alignments also get an alignment error rate and the picture attention.svg.
/// Ranks share out the sentences.
void report(Summary summary, const Corpus& corpus, const std::filesystem::path& dir,
            const Catalog& catalog, const Ranks& ranks, Tell tell);

}  // namespace weft
