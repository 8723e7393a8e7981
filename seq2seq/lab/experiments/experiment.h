// What an experiment is to the laboratory: a name and a function that gives a table, a picture and
// a sentence. A new one is a file with its function and a line in experiment.cpp.
#pragma once

#include <weft/seq2seq/lab/measure.h>
#include <weft/seq2seq/lab/share.h>
#include <weft/seq2seq/pictures/plot.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weft {

/// A trained model and sentences of its task that it was not trained on.
struct Subject {
  Seq2SeqModel& model;  ///< in eval mode
  const Vocabulary& vocabulary;
  const Split& sentences;
  std::span<const Measure> measures;
  ShareOut share = all_here;  ///< who looks at which sentence
};

struct ExperimentInput {
  std::optional<Subject> subject;  ///< of an experiment that uses "model-dir"
  std::optional<Subject> reverse;  ///< of "reverse-model-dir": the same sentences, the other way
  std::optional<int64_t> over;     ///< how many sentences
  int64_t seed = 0;
};

struct ExperimentTable {
  using Cell = std::variant<std::string, double>;  ///< NaN: there is no such number
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;

  /// The number in a column of the first row whose first cells are `labels`. An Error if there is
  /// none.
  double at(const std::vector<std::string>& labels, const std::string& column) const;
};

struct ExperimentResult {
  ExperimentTable table;
  Plot plot;
  std::string verdict;  ///< what the table says, in sentences
};

struct Experiment {
  std::string name;               ///< on the command line: "depth"
  std::string help;               ///< one line
  std::vector<std::string> uses;  ///< of "model-dir", "reverse-model-dir", "over", "seed"
  /// One that uses "model-dir" is run by all processes that work together, which get equal inputs
  /// and may share its work out (Subject::share); others by the first alone.
  std::function<ExperimentResult(const ExperimentInput&)> run;
};

/// "alignment", "heads", "depth", "explanation" (docs/experiments.md).
const std::vector<Experiment>& builtin_experiments();

/// Columns under their names, numbers with four digits, and the verdict.
std::string to_text(const ExperimentResult& result);

}  // namespace weft
