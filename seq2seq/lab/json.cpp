// A report as one JSON object.
#include <fmt/core.h>
#include <weft/seq2seq/lab/formats.h>
#include <weft/seq2seq/text/detail/parse_number.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

// To five significant digits, so that files stay small.
Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  const std::string text = fmt::format("{:.5g}", value);
  double rounded = 0;
  parse_number(text, rounded);
  return rounded;
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

Json rows(const std::vector<std::vector<double>>& values) {
  Json list = Json::array();
  for (const std::vector<double>& row : values) list.push_back(numbers(row));
  return list;
}

// [T], [r, c], [H, r, c] as nested lists.
Json nested(const Tensor& x) {
  if (x.dim() == 1) return numbers(x.to_vector<double>());
  Json list = Json::array();
  for (int64_t i = 0; i < x.size(0); ++i) list.push_back(nested(select(x, 0, i)));
  return list;
}

Json from_one(const std::optional<int64_t>& index) {
  return index ? Json(*index + 1) : Json(nullptr);
}

Json maps_of(const SentenceReport& s) {
  Json list = Json::array();
  for (const Measured& m : s.measured)
    for (const Maps& maps : m.maps) {
      Json layers = Json::array();
      for (const Tensor& layer : maps.layers) layers.push_back(nested(layer));
      list.push_back(
          {{"measure", m.measure->name}, {"place", to_string(maps.place)}, {"layers", layers}});
    }
  return list;
}

Json tokens_of(const SentenceReport& s) {
  Json list = Json::array();
  for (const Measured& m : s.measured)
    for (const TokenNumbers& found : m.tokens) {
      Json& entry =
          list.emplace_back(Json{{"measure", m.measure->name},
                                 {"side", found.side == Place::encoder ? "source" : "target"},
                                 {"values", nested(found.values)}});
      if (found.completeness_error) entry["completeness_error"] = number(*found.completeness_error);
    }
  return list;
}

Json gold_of(const SentenceReport& s) {
  if (!s.gold) return nullptr;
  Json sure = Json::array();
  for (const Link& link : *s.gold) sure.push_back({link.target, link.source});
  return {{"sure", sure}, {"possible", Json::array()}};
}

Json sentence(const SentenceReport& s) {
  return {{"source", s.source},       {"target", s.target},
          {"predicted", s.predicted}, {"translation", s.translation},
          {"score", number(s.score)}, {"log_probs", numbers(s.log_probs)},
          {"gold", gold_of(s)},       {"maps", maps_of(s)},
          {"tokens", tokens_of(s)}};
}

Json measures(const Report& report) {
  Json all = Json::object();
  for (const Measure& m : report.measures)
    all[m.name] = {{"label", m.label},         {"formula", m.formula},  {"words", m.words},
                   {"reference", m.reference}, {"signed", m.is_signed}, {"unit", m.unit}};
  return all;
}

Json agreement(const Report& report) {
  Json list = Json::array();
  for (const AgreementTable::Row& row : report.agreement.rows()) {
    const AlignmentCounts& c = row.counts;
    const auto share = [](int64_t part, int64_t of) {
      return number(static_cast<double>(part) / static_cast<double>(of));
    };
    list.push_back({{"measure", row.measure},
                    {"layer", from_one(row.layer)},
                    {"head", from_one(row.head)},
                    {"offset", row.step == ReadAt::kConsumingStep ? "input" : "output"},
                    {"aer", number(c.error_rate())},
                    {"precision", share(c.found_possible, c.found)},
                    {"recall", share(c.found_sure, c.sure)}});
  }
  return list;
}

Json faithfulness(const Report& report) {
  using Table = FaithfulnessTable;
  Json list = Json::array();
  for (const Table::Row& row : report.faithfulness.rows()) {
    Json& entry = list.emplace_back(Json{{"measure", row.measure}, {"layer", from_one(row.layer)}});
    for (int n = 0; n < Table::kNumbers; ++n)
      entry[Table::kNames[n]] = number(row.mean(static_cast<Table::Number>(n)));
  }
  return list;
}

Json heads(const Report& report) {
  using Table = HeadTable;
  Json list = Json::array();
  for (const Place place : report.heads.places()) {
    Json& entry = list.emplace_back(Json{{"place", to_string(place)}});
    for (int n = 0; n < Table::kNumbers; ++n)
      entry[Table::kNames[n]] = rows(report.heads.average(place, static_cast<Table::Number>(n)));
  }
  return list;
}

Json pruning(const Report& report) {
  Json list = Json::array();
  for (const PruningCurve& curve : report.pruning) {
    Json points = Json::array();
    for (const auto& [kept, value] : curve.points)
      points.push_back({{"kept", kept}, {"value", number(value)}});
    list.push_back({{"order", curve.order}, {"points", points}, {"metric", curve.metric}});
  }
  return list;
}

Json model(const Report& report) {
  Json settings = Json::object();
  for (const auto& field : report.settings)
    std::visit([&](const auto& value) { settings[field.first] = value; }, field.second);
  return {{"directory", report.directory},
          {"kind", report.kind},
          {"parameters", report.parameters},
          {"settings", settings}};
}

Json history(const Report& report) {
  if (report.history.rows.empty()) return nullptr;
  return {{"columns", report.history.columns}, {"rows", rows(report.history.rows)}};
}

Json frame(const Film::Frame& f) {
  return {{"update", f.update},
          {"gradients", f.gradients},
          {"norm", numbers(f.norm)},
          {"snr", numbers(f.snr)},
          {"head_norm", numbers(f.head_norm)},
          {"head_snr", numbers(f.head_snr)},
          {"maps", numbers(f.maps)}};
}

Json film(const Report& report) {
  const Film& f = report.film;
  if (f.frames.empty()) return nullptr;
  Json attention = Json::array(), frames = Json::array();
  for (const Film::Attention& a : f.attention)
    attention.push_back({{"path", a.path}, {"heads", a.heads}});
  for (const Film::Frame& each : f.frames) frames.push_back(frame(each));
  return {{"layers", f.layers},       {"attention", attention},     {"source", f.source},
          {"predicted", f.predicted}, {"map_layers", f.map_layers}, {"frames", frames}};
}

}  // namespace

std::string to_json(const Report& report) {
  Json sentences = Json::array();
  for (const SentenceReport& s : report.sentences) sentences.push_back(sentence(s));
  const Json all{{"format", "weft-lab 1"},         {"model", model(report)},
                 {"sentences", sentences},         {"measures", measures(report)},
                 {"agreement", agreement(report)}, {"faithfulness", faithfulness(report)},
                 {"heads", heads(report)},         {"pruning", pruning(report)},
                 {"history", history(report)},     {"film", film(report)}};
  // A directory may have any bytes for a name.
  return all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weft
