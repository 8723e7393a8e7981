// `weft score`: a line for each metric, or a table with intervals and a comparison of two systems.
#include <fmt/core.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/significance.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

namespace weft {
namespace {

using Sentences = std::vector<std::string>;

BleuOptions bleu_options(const ScoreOptions& o) {
  return {o.tokenize.value() == "none" ? BleuTokenizer::kNone : BleuTokenizer::k13a, o.lowercase};
}

// Those that are asked for, BLEU by the options.
std::vector<Metric> chosen_metrics(const ScoreOptions& o, const Catalog& catalog) {
  const bool all = o.metric.value().empty();
  std::vector<Metric> chosen;
  if (all)
    chosen = catalog.metrics;
  else
    chosen.push_back(find_named(catalog.metrics, o.metric, "metric"));
  for (Metric& metric : chosen)
    if (metric.name == "bleu") metric = bleu_metric(bleu_options(o));
  check(all || o.metric.value() == "bleu" || !o.tokenize.given(),
        "score: --tokenize is of bleu; got --metric {}", o.metric.value());
  return chosen;
}

ParallelText read_scored(const std::string& translations, const ScoreOptions& o) {
  ParallelText text = read_parallel(translations, o.reference.value());
  if (!o.lowercase) return text;
  for (Sentences* side : {&text.source, &text.target})
    for (std::string& line : *side) line = lower_case(line);
  return text;
}

// BLEU says how it was computed, as sacreBLEU does.
std::string score_line(const Metric& metric, const ParallelText& text, const ScoreOptions& o) {
  if (metric.name == "bleu")
    return bleu(text.source, text.target, bleu_options(o)).to_string() + "\n";
  return fmt::format("{} = {:.2f}\n", metric.title, metric.score(text.source, text.target));
}

// Of every metric its line. One that cannot score this text is left out with a word, where others
// can.
template <class LineOf>
std::string lines_of(const std::vector<Metric>& metrics, LineOf line_of) {
  std::string lines;
  std::vector<std::pair<std::string, std::string>> faults;  // title, error
  for (const Metric& metric : metrics) try {
      lines += line_of(metric);
    } catch (const Error& error) {
      faults.emplace_back(metric.title, error.what());
    }
  check(!lines.empty(), "{}", faults.front().second);
  for (const auto& [title, error] : faults)
    warn(fmt::format("weft: score: no {}: {}", title, error));
  return lines;
}

std::string with_interval(double score, const Interval& interval) {
  return fmt::format("{:6.2f} {:<18}", score,
                     fmt::format("[{:.2f}, {:.2f}]", interval.low, interval.high));
}

std::string confidence_line(const Metric& metric, const ParallelText& text,
                            const BootstrapOptions& options) {
  const Interval interval =
      interval_95(bootstrap_scores(metric, text.source, text.target, options));
  return fmt::format("{:<15} {}", metric.title,
                     with_interval(metric.score(text.source, text.target), interval));
}

std::string paired_line(const Metric& metric, const ParallelText& text, const Sentences& against,
                        const BootstrapOptions& options) {
  const PairedBootstrap found =
      paired_bootstrap(metric, text.source, against, text.target, options);
  return fmt::format("{:<15} {} {} {:+10.2f}  {:<8.4f} {:5.1f} %", metric.title,
                     with_interval(found.score_a, found.interval_a),
                     with_interval(found.score_b, found.interval_b), found.score_a - found.score_b,
                     found.p_value, 100 * found.share_better);
}

std::string table(const std::vector<Metric>& metrics, const ParallelText& text,
                  const ScoreOptions& o) {
  const BootstrapOptions options{o.resamples, static_cast<uint64_t>(o.seed.value())};
  const std::string& other = o.against.value();
  const Sentences against = other.empty() ? Sentences() : read_scored(other, o).source;
  std::string lines;
  if (!other.empty())
    lines = fmt::format("{:<15} {:<25} {:<25} {:>10}  {:<8} better in\n", "", "hypothesis",
                        "against", "difference", "p");
  std::string signature;
  lines += lines_of(metrics, [&](const Metric& metric) {
    if (metric.name == "bleu") signature = "; BLEU|" + bleu_options(o).signature();
    std::string line = other.empty() ? confidence_line(metric, text, options)
                                     : paired_line(metric, text, against, options);
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  });
  return lines + fmt::format("[95 % of {} resamples, seed {}]{}\n", options.resamples, options.seed,
                             signature);
}

}  // namespace

void score_command(const ScoreOptions& o, const Catalog& catalog) {
  const std::vector<Metric> metrics = chosen_metrics(o, catalog);
  const bool resample = o.confidence || !o.against.value().empty();
  for (const AnySetting* setting : std::initializer_list<const AnySetting*>{&o.resamples, &o.seed})
    check(resample || !setting->given(), "score: --{} needs --confidence or --against; got --{} {}",
          setting->info().name, setting->info().name, setting->text());
  const ParallelText text = read_scored(o.hypothesis.value(), o);
  if (resample) return print(table(metrics, text, o));
  print(lines_of(metrics, [&](const Metric& metric) { return score_line(metric, text, o); }));
}

}  // namespace weft
