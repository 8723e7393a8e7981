// Sentences and pairs of them as ids: what models read.
#pragma once

#include <weft/seq2seq/text/batching.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <cstdint>
#include <string>
#include <vector>

namespace weft {

/// Ids of a source beyond this many are cut off: memory grows with the square of the length.
inline constexpr int64_t kLongestSource = 1024;

/// Ids as the encoder reads them: at most kLongestSource, the last of them kEnd.
Ids encode_source(const Vocabulary& vocabulary, const std::string& sentence);
/// What is made of its ids: cut to kLongestSource, with kEnd.
Ids as_source(Ids ids);
/// Whether encode_source would cut the sentence.
bool is_too_long(const Vocabulary& vocabulary, const std::string& sentence);
/// Ids as the decoder reads and writes them, between kBegin and kEnd.
Ids encode_target(const Vocabulary& vocabulary, const std::string& sentence);
Ids as_target(Ids ids);

/// The pairs of a corpus as the model sees them.
std::vector<Pair> encode_pairs(const Vocabulary& vocabulary, const ParallelText& text);

/// The same cut at random (Vocabulary::sample); each pair by the seed, the epoch and its place.
std::vector<Pair> sample_pairs(const Vocabulary& vocabulary, const ParallelText& text,
                               double dropout, uint64_t seed, int64_t epoch);

}  // namespace weft
