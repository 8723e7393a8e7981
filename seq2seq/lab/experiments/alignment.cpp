#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/experiments/alignment.h>
#include <weft/seq2seq/lab/tables.h>

#include <algorithm>
#include <limits>

namespace weft {
namespace {

constexpr int64_t kFaithfulUnits = 8;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Tables {
  AgreementTable agreement;
  FaithfulnessTable faithfulness;
};

Tables fill_tables(const Subject& subject, const AlignmentOptions& o) {
  const Split& split = subject.sentences;
  check(o.sentences >= 1, "alignment: needs at least one sentence; got {}", o.sentences);
  check(split.gold.size() == split.text.source.size() &&
            subject.vocabulary.tokens() == Tokens::kWords,
        "alignment: needs gold links between the tokens of the model; its task has none");
  Tables tables;
  int64_t faithful = 0;
  const int64_t n = std::min(o.sentences, std::ssize(split.text.source));
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    const Study study(subject.model, encode_source(subject.vocabulary, split.text.source[i]),
                      encode_target(subject.vocabulary, split.text.target[i]));
    const bool is_short =
        study.units() >= 2 && study.units() <= kFaithfulUnits && faithful < o.faithful;
    const std::vector<Measured> taken = take(subject.measures, study, is_short);
    tables.agreement.add(study, taken, split.gold[i]);
    if (is_short) tables.faithfulness.add(study, taken);
    faithful += is_short;
  }
  return tables;
}

const char* offset_of(ReadAt step) { return step == ReadAt::kConsumingStep ? "input" : "output"; }

// The row of a measure with the lowest rate at a step; null if it has none.
const AgreementTable::Row* best(const AgreementTable& table, const std::string& measure,
                                ReadAt step) {
  const AgreementTable::Row* found = nullptr;
  for (const AgreementTable::Row& row : table.rows())
    if (row.measure == measure && row.step == step &&
        (!found || row.counts.error_rate() < found->counts.error_rate()))
      found = &row;
  return found;
}

double per_cent(int64_t part, int64_t whole) {
  return whole == 0 ? kNone : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string number_of(std::optional<int64_t> index, const char* none) {
  return index ? fmt::format("{}", *index + 1) : none;
}

using Row = std::vector<ExperimentTable::Cell>;

void add_faithfulness(const FaithfulnessTable& table, const std::string& measure,
                      std::optional<int64_t> layer, Row& row) {
  const auto found = std::find_if(
      table.rows().begin(), table.rows().end(),
      [&](const FaithfulnessTable::Row& r) { return r.measure == measure && r.layer == layer; });
  for (const auto n : {FaithfulnessTable::kNormalizedAopc, FaithfulnessTable::kShapley})
    row.emplace_back(found == table.rows().end() ? kNone : found->mean(n));
}

Row aligning_row(const AgreementTable::Row& best, const FaithfulnessTable& faithfulness) {
  const AlignmentCounts& c = best.counts;
  Row row{best.measure,
          offset_of(best.step),
          number_of(best.layer, "all"),
          number_of(best.head, "mean"),
          100 * c.error_rate(),
          per_cent(c.found_possible, c.found),
          per_cent(c.found_sure, c.sure)};
  add_faithfulness(faithfulness, best.measure, best.layer, row);
  return row;
}

const std::string& text(const Row& row, size_t column) {
  return std::get<std::string>(row[column]);
}

// Each measure at its best; rows are sorted by error rate.
std::string verdict(const std::vector<Row>& rows) {
  std::vector<std::string> seen, others;
  for (const Row& row : rows) {
    if (std::count(seen.begin(), seen.end(), text(row, 0))) continue;
    seen.push_back(text(row, 0));
    if (seen.size() > 1)
      others.push_back(
          fmt::format("{} {:.1f} % ({})", seen.back(), std::get<double>(row[4]), text(row, 1)));
  }
  if (seen.empty()) return "No measure gives a number for pairs of words: nothing aligns.";
  return fmt::format(
      "Best aligned with the gold links: {} at the {} token (layer {}, head {}), "
      "AER {:.1f} %. Others at their best: {}.",
      seen[0], text(rows[0], 1), text(rows[0], 2), text(rows[0], 3), std::get<double>(rows[0][4]),
      fmt::join(others, ", "));
}

}  // namespace

ExperimentResult alignment_experiment(const Subject& subject, const AlignmentOptions& o) {
  const Tables tables = fill_tables(subject, o);
  ExperimentResult result;
  result.table.columns = {"measure",     "offset",   "layer", "head",   "AER %",
                          "precision %", "recall %", "naopc", "shapley"};
  result.plot = {.title = "Alignment error rate of the best layer and head",
                 .x_label = "",
                 .y_label = "AER, %",
                 .series = {{"input token", {}}, {"output token", {}}}};
  std::vector<Row>& rows = result.table.rows;
  for (const Measure& m : subject.measures)
    for (const ReadAt step : {ReadAt::kConsumingStep, ReadAt::kProducingStep})
      if (const AgreementTable::Row* found = best(tables.agreement, m.name, step)) {
        rows.push_back(aligning_row(*found, tables.faithfulness));
        if (step == ReadAt::kConsumingStep) result.plot.names.push_back(m.name);
        result.plot.series[step == ReadAt::kProducingStep].points.push_back(
            {static_cast<double>(result.plot.names.size() - 1), 100 * found->counts.error_rate()});
      }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::get<double>(a[4]) < std::get<double>(b[4]);
  });
  result.verdict = verdict(rows);
  for (const FaithfulnessTable::Row& r : tables.faithfulness.rows()) {
    if (best(tables.agreement, r.measure, ReadAt::kProducingStep)) continue;
    Row row{r.measure, "-", "-", "-", kNone, kNone, kNone};
    add_faithfulness(tables.faithfulness, r.measure, r.layer, row);
    rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace weft
