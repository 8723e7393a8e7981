// The tables of some sentences, which another process may have seen.
#pragma once

#include <weft/seq2seq/lab/tables.h>

#include <string>
#include <string_view>

namespace weft {

/// Whoever fills tables over many sentences adds up those of each alone, in their order: so the
/// bits do not depend on who saw which.
struct SentenceTables {
  AgreementTable agreement;
  FaithfulnessTable faithfulness;
  HeadTable heads;

  /// Adds the tables of the sentences that follow.
  void add(const SentenceTables& next);

  /// For another process of the same run.
  std::string bytes() const;
  static SentenceTables from_bytes(std::string_view bytes);
};

}  // namespace weft
