#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/experiments/alignment.h>
#include <weft/seq2seq/lab/experiments/depth.h>
#include <weft/seq2seq/lab/experiments/explanation.h>
#include <weft/seq2seq/lab/experiments/heads.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

std::string cell_text(const ExperimentTable::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  const double value = std::get<double>(cell);
  return std::isnan(value) ? "-" : fmt::format("{:.4g}", value);
}

// Words stand left in their columns, numbers right.
std::string aligned(const std::string& text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string without_blanks_behind(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

double ExperimentTable::at(const std::vector<std::string>& labels,
                           const std::string& column) const {
  const auto place = std::find(columns.begin(), columns.end(), column) - columns.begin();
  check(place < std::ssize(columns), "experiment: the table has no column '{}'", column);
  for (const std::vector<Cell>& row : rows) {
    const bool found =
        row.size() == columns.size() && labels.size() <= row.size() &&
        std::equal(labels.begin(), labels.end(), row.begin(),
                   [](const std::string& label, const Cell& cell) { return cell == Cell(label); });
    if (found) return std::get<double>(row[static_cast<size_t>(place)]);
  }
  fail("experiment: the table has no row '{}'", fmt::join(labels, ", "));
}

std::string to_text(const ExperimentResult& result) {
  const ExperimentTable& table = result.table;
  for (const auto& row : table.rows)
    check(row.size() == table.columns.size(),
          "experiment: expected rows of {} cells; got one of {}", table.columns.size(), row.size());
  std::vector<std::string> lines(table.rows.size() + 1);
  for (size_t c = 0; c < table.columns.size(); ++c) {
    std::vector<std::string> cells{table.columns[c]};
    bool number = false;
    for (const auto& row : table.rows) {
      cells.push_back(cell_text(row[c]));
      number |= std::holds_alternative<double>(row[c]);
    }
    size_t width = 0;
    for (const std::string& text : cells) width = std::max(width, display_width(text));
    for (size_t i = 0; i < lines.size(); ++i)
      lines[i] += (c > 0 ? "  " : "") + aligned(cells[i], width, number);
  }
  std::string text;
  for (std::string& line : lines) text += without_blanks_behind(std::move(line)) + "\n";
  return text + "\n" + result.verdict + "\n";
}

const std::vector<Experiment>& builtin_experiments() {
  static const std::vector<Experiment> experiments{
      {"alignment",
       "weights, gradients or contributions: what aligns best with gold links, and at which step",
       {"model-dir", "reverse-model-dir", "over"},
       [](const ExperimentInput& in) {
         AlignmentOptions o{.reverse = in.reverse};
         o.sentences = in.over.value_or(o.sentences);
         return alignment_experiment(*in.subject, o);
       }},
      {"heads",
       "which heads matter: exact match with ever fewer, by gradient, by curvature, at random",
       {"model-dir", "over", "seed"},
       [](const ExperimentInput& in) {
         HeadsOptions o{.seed = in.seed};
         o.sentences = in.over.value_or(o.sentences);
         return heads_experiment(*in.subject, o);
       }},
      {"depth",
       "the gradient of cross-attention by decoder depth, before training",
       {"seed"},
       [](const ExperimentInput& in) { return depth_experiment({.seed = in.seed}); }},
      {"explanation",
       "is attention explanation? Four controls on a task of known alignment",
       {"seed"},
       [](const ExperimentInput& in) { return explanation_experiment({.seed = in.seed}); }}};
  return experiments;
}

}  // namespace weft
