// What the program trains and is judged on: parallel text in splits, from files or from the
// built-in grammar.
#pragma once

#include <weft/seq2seq/metrics/alignment.h>
#include <weft/seq2seq/settings/setting.h>
#include <weft/seq2seq/text/text_file.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weft {

/// Sentences for one purpose. `gold` holds the word alignment of each pair, or is empty.
struct Split {
  std::string name;
  ParallelText text;
  std::vector<std::vector<Link>> gold;
  int64_t removed = 0;  ///< pairs of its source that had no word on a side
};

struct Corpus {
  Split train, valid;
  std::vector<Split> tests;  ///< judged once, after training
  /// Values that suit the task: `metric`, by which its models are compared, and others where the
  /// program's defaults do not suit.
  Settings defaults;
  int64_t held_out = 0;  ///< pairs that validation took from those to train on
};

/// Where a split is read from: one file of pairs, or one of each side, or nowhere.
struct SplitFiles {
  std::filesystem::path pairs, source, target;

  bool empty() const { return pairs.empty() && source.empty() && target.empty(); }
};

struct CorpusFiles {
  SplitFiles train, valid, test;
};

/// The built-in grammar's sentences: tests are "held-out" and "compositional", with gold
/// alignments.
Corpus german_corpus();

/// The same pairs with source and target, and the ends of their links, changed for each other.
Corpus swap_sides(Corpus corpus);

/// Without validation files a part of the training pairs is held out (hold_out.h). A test is
/// "test". Its metric is "exact" if most targets are a single word, where BLEU, which compares up
/// to four words in a row, is always 0; else "bleu". Pairs with an empty side are left out. Throws
/// on files that are missing, empty, not UTF-8, of different line counts or not of pairs.
Corpus read_corpus(const CorpusFiles& files);

}  // namespace weft
