// What a report holds, as plain data: the program fills it, and formats.h writes it.
#pragma once

#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/lab/pruning.h>
#include <weft/seq2seq/lab/tables.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <string>
#include <vector>

namespace weft {

struct SentenceReport {
  std::vector<std::string> source, target, predicted;  ///< pieces; target: what the decoder reads
  std::string translation;
  double score = 0;
  std::vector<double> log_probs;          ///< of each of predicted
  std::optional<std::vector<Link>> gold;  ///< between source and predicted
  std::vector<Measured> measured;
};

struct History {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;  ///< NaN where a line has no such number
};

struct Report {
  std::string directory, kind;
  int64_t parameters = 0;
  JsonObject settings;
  std::vector<Measure> measures;  ///< those that were taken
  std::vector<SentenceReport> sentences;
  AgreementTable agreement;
  FaithfulnessTable faithfulness;
  HeadTable heads;
  std::vector<PruningCurve> pruning;
  History history;
  Film film;
};

/// `taken` of one study, with the texts of its tokens.
SentenceReport report_sentence(const Study& study, std::vector<Measured> taken,
                               const Vocabulary& vocabulary);

/// The numbers of metrics.jsonl, a row for each update that has a line (of more than 4096, for
/// every second, fourth ...); nothing if there is no such file. Damaged lines are left out, with a
/// line in `notes` for the first of them.
History read_history(const std::filesystem::path& file, std::vector<std::string>& notes);

}  // namespace weft
