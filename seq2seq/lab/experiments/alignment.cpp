#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/experiments/alignment.h>
#include <weft/seq2seq/lab/experiments/detail/word_links.h>
#include <weft/seq2seq/lab/sentence_tables.h>
#include <weft/seq2seq/metrics/lexical_links.h>

#include <algorithm>
#include <limits>

namespace weft {
namespace {

constexpr int64_t kFaithfulUnits = 8;
constexpr size_t kAerColumn = 5;  // the column of the error rate
constexpr const char* kStrongest = "strongest";
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Tables {
  AgreementTable choosing, agreement;
  FaithfulnessTable faithfulness;
  AlignmentCounts all_right;    // one link of each target word
  int64_t count = 0, seen = 0;  // sentences of the result, and with those that choose
};

// The first of each target word.
std::vector<Link> one_of_each(const std::vector<Link>& gold) {
  std::vector<Link> found;
  for (const Link& link : gold)
    if (std::none_of(found.begin(), found.end(),
                     [&](const Link& l) { return l.target == link.target; }))
      found.push_back(link);
  return found;
}

SentenceTables tables_of(const Subject& subject, size_t i, bool with_faithfulness) {
  const Split& split = subject.sentences;
  const Study study(subject.model, encode_source(subject.vocabulary, split.text.source[i]),
                    encode_target(subject.vocabulary, split.text.target[i]));
  const std::vector<Measured> taken = take(subject.measures, study, with_faithfulness);
  SentenceTables tables;
  tables.agreement.add(study, taken, split.gold[i]);
  if (with_faithfulness) tables.faithfulness.add(study, taken);
  return tables;
}

// Of sentences [begin, end); faithfulness of so many, the first short ones.
SentenceTables tables_of(const Subject& subject, int64_t begin, int64_t end, int64_t faithful) {
  std::vector<size_t> chosen;
  for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
    const auto units =
        std::ssize(encode_source(subject.vocabulary, subject.sentences.text.source[i])) - 1;
    if (std::ssize(chosen) < faithful && units >= 2 && units <= kFaithfulUnits) chosen.push_back(i);
  }
  const auto one = [&](int64_t i) {
    const auto at = static_cast<size_t>(begin + i);
    return tables_of(subject, at, std::count(chosen.begin(), chosen.end(), at) > 0).bytes();
  };
  SentenceTables all;
  for (const std::string& bytes : subject.share(end - begin, one))
    all.add(SentenceTables::from_bytes(bytes));
  return all;
}

void check_subject(const Subject& subject) {
  check(subject.sentences.gold.size() == subject.sentences.text.source.size() &&
            subject.vocabulary.tokens() == Tokens::kWords,
        "alignment: needs gold links between the tokens of the model; its task has none");
}

// The first sentences are those of the result, those behind them choose layers and heads.
Tables fill_tables(const Subject& subject, const AlignmentOptions& o) {
  const Split& split = subject.sentences;
  check(o.sentences >= 1, "alignment: needs at least one sentence; got {}", o.sentences);
  check_subject(subject);
  const int64_t all = std::ssize(split.text.source), n = std::min(o.sentences, all);
  Tables tables;
  tables.count = n;
  tables.seen = std::min(2 * n, all);
  SentenceTables first = tables_of(subject, 0, n, o.faithful);
  tables.agreement = std::move(first.agreement);
  tables.faithfulness = std::move(first.faithfulness);
  tables.choosing = tables_of(subject, n, tables.seen, 0).agreement;
  if (n == all) tables.choosing = tables.agreement;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i)
    tables.all_right.add(one_of_each(split.gold[i]), split.gold[i], split.gold[i]);
  return tables;
}

const char* offset_of(ReadAt step) { return step == ReadAt::kConsumingStep ? "input" : "output"; }

// The row of a measure at a step, in the layer and head that have the lowest rate on the sentences
// that choose; null if it has none.
const AgreementTable::Row* chosen(const Tables& tables, const std::string& measure, ReadAt step) {
  const AgreementTable::Row* best = nullptr;
  for (const AgreementTable::Row& row : tables.choosing.rows())
    if (row.measure == measure && row.step == step &&
        (!best || row.counts.error_rate() < best->counts.error_rate()))
      best = &row;
  for (const AgreementTable::Row& row : tables.agreement.rows())
    if (best && row.measure == measure && row.step == step && row.layer == best->layer &&
        row.head == best->head)
      return &row;
  return nullptr;
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

Row counted_row(const AgreementTable::Row& at, const char* links, const AlignmentCounts& c) {
  return {at.measure,
          offset_of(at.step),
          number_of(at.layer, "all"),
          number_of(at.head, "mean"),
          links,
          100 * c.error_rate(),
          per_cent(c.found_possible, c.found),
          per_cent(c.found_sure, c.sure)};
}

Row aligning_row(const AgreementTable::Row& best, const Tables& tables) {
  Row row = counted_row(best, kStrongest, best.counts);
  add_faithfulness(tables.faithfulness, best.measure, best.layer, row);
  return row;
}

const AgreementTable::Row& lowest(const std::vector<AgreementTable::Row>& rows) {
  return *std::min_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.counts.error_rate() < b.counts.error_rate();
  });
}

void check_reverse(const Subject& subject, const Subject& reverse) {
  check_subject(reverse);
  check(reverse.sentences.text.source == subject.sentences.text.target &&
            reverse.sentences.text.target == subject.sentences.text.source,
        "alignment: expected the same validation sentences in the reverse direction; got others");
}

// Where the reverse model has the lowest rate by that measure at that step, on the sentences that
// choose.
AgreementTable::Row chosen_in_reverse(const Subject& reverse, const AgreementTable::Row& best,
                                      const Tables& tables) {
  Subject alone = reverse;
  alone.measures = measure_called(reverse, best.measure);
  const int64_t begin = tables.seen > tables.count ? tables.count : 0;
  std::vector<AgreementTable::Row> rows = tables_of(alone, begin, tables.seen, 0).agreement.rows();
  std::erase_if(rows, [&](const AgreementTable::Row& row) { return row.step != best.step; });
  check(!rows.empty(), "alignment: the reverse model has no {}", best.measure);
  return lowest(rows);
}

// Of links other than the strongest of each row: of the measure, layer and head that the sentences
// which choose put first.
void add_other_links(const Subject& subject, const AlignmentOptions& o, const Tables& tables,
                     std::vector<Row>& rows) {
  if (tables.choosing.rows().empty()) return;
  const AgreementTable::Row& best = lowest(tables.choosing.rows());
  const auto add = [&](const char* links, const std::vector<std::vector<Link>>& found) {
    AlignmentCounts counts;
    for (size_t i = 0; i < static_cast<size_t>(tables.count); ++i)
      counts.add(found[i], subject.sentences.gold[i], subject.sentences.gold[i]);
    rows.push_back(counted_row(best, links, counts));
    for (int i = 0; i < 2; ++i) rows.back().emplace_back(kNone);  // links have no faithfulness
  };
  const WordLinks forward = word_links(subject, best, tables.seen);
  add("lexical", forward.lexical);
  if (!o.reverse) return;
  const WordLinks back =
      word_links(*o.reverse, chosen_in_reverse(*o.reverse, best, tables), tables.seen);
  add("both ways", both_ways(forward.strongest, back.strongest));
  add("lexical, both ways", both_ways(forward.lexical, back.lexical));
}

const std::string& text(const Row& row, size_t column) {
  return std::get<std::string>(row[column]);
}

// Each measure at its best; rows are sorted by error rate.
std::string verdict(const std::vector<Row>& rows, const AlignmentCounts& all_right) {
  std::vector<std::string> seen, others;
  for (const Row& row : rows) {
    if (std::count(seen.begin(), seen.end(), text(row, 0))) continue;
    seen.push_back(text(row, 0));
    if (seen.size() > 1)
      others.push_back(fmt::format("{} {:.1f} % ({})", seen.back(),
                                   std::get<double>(row[kAerColumn]), text(row, 1)));
  }
  if (seen.empty()) return "No measure gives a number for pairs of words: nothing aligns.";
  return fmt::format(
      "Best aligned with the gold links: {} at the {} token (layer {}, head {}; links: {}), "
      "AER {:.1f} %. Others at their best: {}. "
      "One right link of each target word would leave {:.1f} %.",
      seen[0], text(rows[0], 1), text(rows[0], 2), text(rows[0], 3), text(rows[0], 4),
      std::get<double>(rows[0][kAerColumn]), fmt::join(others, ", "), 100 * all_right.error_rate());
}

}  // namespace

ExperimentResult alignment_experiment(const Subject& subject, const AlignmentOptions& o) {
  if (o.reverse) check_reverse(subject, *o.reverse);
  const Tables tables = fill_tables(subject, o);
  ExperimentResult result;
  result.table.columns = {"measure", "offset",      "layer",    "head",  "links",
                          "AER %",   "precision %", "recall %", "naopc", "shapley"};
  result.plot = {.title = "Alignment error rate of the best layer and head",
                 .x_label = "",
                 .y_label = "AER, %",
                 .series = {{"input token", {}}, {"output token", {}}}};
  std::vector<Row>& rows = result.table.rows;
  for (const Measure& m : subject.measures)
    for (const ReadAt step : {ReadAt::kConsumingStep, ReadAt::kProducingStep})
      if (const AgreementTable::Row* found = chosen(tables, m.name, step)) {
        rows.push_back(aligning_row(*found, tables));
        if (step == ReadAt::kConsumingStep) result.plot.names.push_back(m.name);
        result.plot.series[step == ReadAt::kProducingStep].points.emplace_back(
            static_cast<double>(result.plot.names.size() - 1), 100 * found->counts.error_rate());
      }
  add_other_links(subject, o, tables, rows);
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::get<double>(a[kAerColumn]) < std::get<double>(b[kAerColumn]);
  });
  result.verdict = verdict(rows, tables.all_right);
  for (const FaithfulnessTable::Row& r : tables.faithfulness.rows()) {
    if (chosen(tables, r.measure, ReadAt::kProducingStep)) continue;
    Row row{r.measure, "-", "-", "-", "-", kNone, kNone, kNone};
    add_faithfulness(tables.faithfulness, r.measure, r.layer, row);
    rows.push_back(std::move(row));
  }
  return result;
}

}  // namespace weft
