// How ranks share out what is to be done for each of many sentences.
#pragma once

#include <weft/seq2seq/lab/share.h>
#include <weft/seq2seq/run/ranks.h>

namespace weft {

/// The numbers 0, 1, ..., n - 1 dealt out one by one, a group for each rank.
std::vector<Batch> dealt(int64_t n, const Ranks& ranks);

/// Item i is that of rank i mod the number of ranks. The ranks must outlive it.
ShareOut share_among(const Ranks& ranks);

}  // namespace weft
