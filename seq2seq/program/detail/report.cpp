#include <fmt/format.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/program/detail/report.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/training/evaluate.h>

#include <iterator>

namespace weft {
namespace {

constexpr size_t kExamples = 8;

template <class... Args>
void append(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

void append_examples(const Split& split, const std::vector<std::string>& translations,
                     std::string& text) {
  append(text, "\nSentences that training has not seen ({}):\n", split.name);
  const size_t n = split.text.source.size(), step = std::max<size_t>(1, n / kExamples);
  for (size_t i = 0; i < n; i += step) {
    const bool right = exact_matches({&translations[i], 1}, {&split.text.target[i], 1}) == 1;
    append(text, "\n  source       {}\n  translation  {}\n  reference    {}\n",
           split.text.source[i], translations[i], right ? "the same" : split.text.target[i]);
  }
}

// Words for a score in the table and its key in summary.json.
struct Line {
  std::string text, key;
  double value;
  bool percent;
};

void alignment_lines(const LoadedModel& model, const Split& split, std::vector<Line>& lines) {
  double best = 1;
  for (const auto& [step, words, key] :
       {std::tuple{ReadAt::kProducingStep, "the step that produces a word",
                   "alignment_error_rate_producing"},
        {ReadAt::kConsumingStep, "the step that consumes it", "alignment_error_rate_consuming"}}) {
    const AlignmentScores::Head head =
        best_alignment_head(*model.model, *model.vocabulary, split, step);
    lines.push_back({fmt::format("alignment error rate, read at {} (layer {}, head {})", words,
                                 head.layer + 1, head.head + 1),
                     key, head.error_rate, true});
    best = std::min(best, head.error_rate);
  }
  lines.push_back({"alignment error rate of the best head", "alignment_error_rate", best, true});
}

// Exact matches, BLEU and the metric that chose the model. Where exact matches choose, targets may
// be too short for BLEU, which compares four words in a row.
void score_lines(const Split& split, const std::vector<std::string>& translations,
                 const Metric& chosen, const std::string& suffix, std::vector<Line>& lines) {
  const std::vector<std::string>& references = split.text.target;
  const auto score = [&](const Metric& metric) { return metric.score(translations, references); };
  lines.push_back({split.name + ": translated exactly", "exact_match" + suffix,
                   static_cast<double>(exact_matches(translations, references)) /
                       static_cast<double>(references.size()),
                   true});
  if (chosen.name == "exact") return;
  const Metric& bleu = find_named(builtin_metrics(), "bleu", "metric");
  lines.push_back({split.name + ": BLEU", "bleu" + suffix, score(bleu), false});
  if (chosen.name == "bleu") return;
  lines.push_back({split.name + ": " + chosen.title, chosen.name + suffix, score(chosen), false});
}

void draw(const LoadedModel& model, const Split& split, const std::filesystem::path& file,
          Tell tell) {
  write_file(file,
             draw_svg(show_translation(*model.model, *model.vocabulary, split.text.source[0])));
  tell(fmt::format("attention  {}\n", file.string()));
}

}  // namespace

void report(Summary summary, const Corpus& corpus, const std::filesystem::path& dir,
            const Catalog& catalog, const Ranks& ranks, Tell tell) {
  const LoadedModel model = load_model(dir, catalog.models);
  const Metric& metric = find_named(catalog.metrics, summary.metric, "metric");
  const std::vector<Split> splits = corpus.tests.empty() ? std::vector{corpus.valid} : corpus.tests;
  std::vector<Line> lines;
  std::string text;
  for (const Split& split : splits) {
    const bool first = &split == splits.data();
    const std::vector<std::string> translations =
        translate_all(*model.model, *model.vocabulary, split.text.source, ranks);
    const double per_token = perplexity(*model.model, *model.vocabulary, split.text, ranks);
    if (!ranks.first()) continue;
    const std::string suffix = first ? "" : "_" + split.name;
    if (first) append_examples(split, translations, text);
    score_lines(split, translations, metric, suffix, lines);
    lines.push_back({split.name + ": perplexity", "perplexity" + suffix, per_token, false});
  }
  if (!ranks.first()) return;
  const bool aligned = !splits[0].gold.empty() && model.vocabulary->tokens() == Tokens::kWords;
  if (aligned) alignment_lines(model, splits[0], lines);
  text += "\n";
  for (const Line& line : lines) {
    append(text, "{:>8.2f}{} {}\n", line.percent ? 100 * line.value : line.value,
           line.percent ? " %" : "  ", line.text);
    summary.scores.emplace_back(line.key, line.value);
  }
  append(text, "\ntraining   {} steps in {:.1f} s, {:.0f} target tokens/s, {} parameters\n",
         summary.steps, summary.seconds, summary.tokens_per_second, summary.parameters);
  append(text, "checkpoint step {}: the best in validation by {}, {:.2f}\n",
         summary.checkpoint_step, metric.title, summary.valid_score);
  append(text, "model      {}\n", dir.string());
  write_summary(dir / kSummary, summary);  // whether the text can be printed or not
  tell(text);
  if (aligned) draw(model, splits[0], dir / "attention.svg", tell);
}

}  // namespace weft
