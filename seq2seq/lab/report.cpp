#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/detail/json_lines.h>
#include <weft/seq2seq/lab/detail/thin_out.h>
#include <weft/seq2seq/lab/report.h>

#include <algorithm>
#include <limits>

namespace weft {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kMostRows = 4096, kMostColumns = 64;  // of the history

std::vector<std::string> pieces(const Vocabulary& vocabulary, std::span<const int64_t> ids) {
  std::vector<std::string> found;
  for (const int64_t id : ids) found.push_back(vocabulary.piece(id));
  return found;
}

// Names of the log in the report.
std::string column_name(const std::string& key) {
  if (key == "step") return "update";
  return key == "valid_loss" ? "validation" : key;
}

void add_number(History& history, const std::string& name, double value) {
  auto column = std::find(history.columns.begin(), history.columns.end(), name);
  if (column == history.columns.end()) {
    check(history.columns.size() < kMostColumns, "more than {} different numbers", kMostColumns);
    column = history.columns.insert(column, name);
  }
  std::vector<double>& row = history.rows.back();
  row.resize(history.columns.size(), kNone);
  row[static_cast<size_t>(column - history.columns.begin())] = value;
}

// Training and validation of one update share a row.
void add_line(History& history, const JsonObject& line) {
  const auto update = static_cast<double>(integer_at(line, "step"));
  if (history.rows.empty() || history.rows.back()[0] != update) {
    if (history.rows.size() == kMostRows) detail::thin_out(history.rows);
    history.rows.emplace_back();
  }
  add_number(history, "update", update);
  for (const auto& [key, value] : line) {
    if (const auto* whole = std::get_if<int64_t>(&value))
      add_number(history, column_name(key), static_cast<double>(*whole));
    if (const auto* number = std::get_if<double>(&value))
      add_number(history, column_name(key), *number);
  }
}

}  // namespace

SentenceReport report_sentence(const Study& study, std::vector<Measured> taken,
                               const Vocabulary& vocabulary) {
  const std::span<const int64_t> target(study.target);
  return {.source = pieces(vocabulary, study.source),
          .target = pieces(vocabulary, target.first(target.size() - 1)),
          .predicted = pieces(vocabulary, target.subspan(1)),
          .translation = vocabulary.decode(target),
          .score = study.score(),
          .log_probs = study.log_probs(),
          .gold = {},
          .measured = std::move(taken)};
}

History read_history(const std::filesystem::path& file, std::vector<std::string>& notes) {
  History history;
  detail::for_each_line(file, notes,
                        [&](const JsonObject& line, int64_t) { add_line(history, line); });
  for (std::vector<double>& row : history.rows) row.resize(history.columns.size(), kNone);
  return history;
}

}  // namespace weft
