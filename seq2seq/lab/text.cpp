// A report for the terminal: maps, bars and tables in characters.
#include <fmt/format.h>
#include <weft/seq2seq/lab/formats.h>
#include <weft/seq2seq/pictures/attention_picture.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <iterator>

namespace weft {
namespace {

constexpr size_t kLabel = 14;  // cells of a token or a number's name

std::string cell(const std::string& text) {
  const std::string shown = printable(text, kLabel - 1);
  return std::string(kLabel - std::min(kLabel, display_width(shown)), ' ') + shown;
}

std::string place_of(const std::string& measure, std::optional<int64_t> layer) {
  return layer ? fmt::format("{}, layer {}", measure, *layer + 1) : measure;
}

// Row t is the step that predicts token t.
std::string draw(const SentenceReport& s, const Maps& maps, bool colour) {
  AttentionPicture picture{s.source, s.predicted, {}};
  for (const Tensor& layer : maps.layers) {
    std::vector<AttentionMap>& heads = picture.maps.emplace_back();
    for (int64_t h = 0; h < layer.size(0); ++h)
      heads.push_back({layer.size(1), layer.size(2), select(layer, 0, h).to_vector<double>()});
  }
  return draw_for_terminal(picture, colour);
}

void add_tokens(const SentenceReport& s, Place side, std::string& text) {
  std::vector<std::vector<double>> columns;
  std::string head = cell(side == Place::encoder ? "source" : "target");
  for (const Measured& m : s.measured)
    for (const TokenNumbers& found : m.tokens) {
      if (found.side != side) continue;
      head += "  " + cell(m.measure->label);
      columns.push_back(found.values.to_vector<double>());
    }
  if (columns.empty()) return;
  text += head + "\n";
  const std::vector<std::string>& labels = side == Place::encoder ? s.source : s.predicted;
  for (size_t i = 0; i < labels.size(); ++i) {
    text += cell(labels[i]);
    for (const std::vector<double>& column : columns)
      fmt::format_to(std::back_inserter(text), "  {:14.4g}", column[i]);
    text += "\n";
  }
  text += "\n";
}

// The best head or layer of each measure, at either step.
void add_agreement(const Report& report, std::string& text) {
  if (report.agreement.rows().empty()) return;
  text += "Alignment error rate, of the best layer and head of each measure\n";
  for (const Measure& m : report.measures) {
    const AgreementTable::Row* best = nullptr;
    for (const AgreementTable::Row& row : report.agreement.rows())
      if (row.measure == m.name && (!best || row.counts.error_rate() < best->counts.error_rate()))
        best = &row;
    if (!best) continue;
    fmt::format_to(std::back_inserter(text), "{:8.2f} %  {}{}, at the step that {} a word\n",
                   100 * best->counts.error_rate(), place_of(m.label, best->layer),
                   best->head ? fmt::format(", head {}", *best->head + 1) : "",
                   best->step == ReadAt::kConsumingStep ? "reads" : "predicts");
  }
  text += "\n";
}

void add_faithfulness(const Report& report, std::string& text) {
  using Numbers = FaithfulnessTable;
  if (report.faithfulness.rows().empty()) return;
  text += "Faithfulness to the score, of numbers for source tokens\n";
  for (const std::string_view name : Numbers::kNames)
    text += fmt::format("{:>{}}", name, name.size() + 2);
  text += "\n";
  for (const Numbers::Row& row : report.faithfulness.rows()) {
    for (int n = 0; n < Numbers::kNumbers; ++n)
      text += fmt::format("{:{}.4g}", row.mean(static_cast<Numbers::Number>(n)),
                          std::string_view(Numbers::kNames[n]).size() + 2);
    text += "  " + place_of(row.measure, row.layer) + "\n";
  }
  text += "\n";
}

void add_heads(const Report& report, std::string& text) {
  for (const Place place : report.heads.places()) {
    const HeadTable::Layers layers = report.heads.average(place, HeadTable::kImportance);
    for (size_t l = 0; l < layers.size(); ++l) {
      text += fmt::format("importance of heads, {} layer {}:", to_string(place), l + 1);
      for (const double value : layers[l]) text += fmt::format(" {:.4g}", value);
      text += "\n";
    }
  }
}

}  // namespace

std::string to_text(const Report& report, bool colour) {
  std::string text;
  for (const SentenceReport& s : report.sentences) {
    text += fmt::format("{}\nscore {:.5g}\n\n", s.translation, s.score);
    for (const Measured& m : s.measured)
      if (const Maps* maps = m.at(Place::cross); maps && m.measure->name == "weights")
        text += draw(s, *maps, colour) + "\n";
    add_tokens(s, Place::encoder, text);
    add_tokens(s, Place::decoder, text);
  }
  add_agreement(report, text);
  add_faithfulness(report, text);
  add_heads(report, text);
  return text;
}

}  // namespace weft
