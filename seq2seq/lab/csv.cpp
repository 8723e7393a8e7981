// A report as lines of comma-separated values, one for every number.
#include <fmt/format.h>
#include <weft/seq2seq/lab/formats.h>

#include <iterator>

namespace weft {
namespace {

// As RFC 4180 has it: quotes around what holds a comma, a quote or a line's end.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

class Table {
 public:
  void add(size_t sentence, const SentenceReport& s, const Measured& m) {
    const std::string start = fmt::format("{},{},", sentence + 1, m.measure->name);
    for (const Maps& maps : m.maps)
      for (size_t l = 0; l < maps.layers.size(); ++l)
        add_layer(start, s, maps, maps.layers[l],
                  m.measure->per_layer ? fmt::format("{}", l + 1) : "");
    for (const TokenNumbers& found : m.tokens) {
      const bool of_source = found.side == Place::encoder;
      const std::vector<std::string>& labels = of_source ? s.source : s.predicted;
      const std::vector<double> values = found.values.to_vector<double>();
      for (size_t i = 0; i < values.size(); ++i)
        fmt::format_to(std::back_inserter(text_), "{}{},,,,{},,{},{:.9g}\n", start,
                       of_source ? "source" : "target", i + 1, field(labels[i]), values[i]);
    }
  }
  std::string text() && { return std::move(text_); }

 private:
  void add_layer(const std::string& start, const SentenceReport& s, const Maps& maps,
                 const Tensor& heads, const std::string& layer) {
    const std::vector<std::string>& row_labels = maps.place == Place::encoder ? s.source : s.target;
    const std::vector<std::string>& labels = maps.place == Place::decoder ? s.target : s.source;
    const std::vector<double> values = heads.to_vector<double>();
    size_t next = 0;
    for (int64_t h = 0; h < heads.size(0); ++h) {
      const std::string head = heads.size(0) > 1 ? fmt::format("{}", h + 1) : "";
      for (size_t r = 0; r < row_labels.size(); ++r)
        for (size_t c = 0; c < labels.size(); ++c)
          fmt::format_to(std::back_inserter(text_), "{}{},{},{},{},{},{},{},{:.9g}\n", start,
                         to_string(maps.place), layer, head, r + 1, c + 1, field(row_labels[r]),
                         field(labels[c]), values[next++]);
    }
  }

  std::string text_ = "sentence,measure,place,layer,head,row,column,row_token,column_token,value\n";
};

}  // namespace

std::string to_csv(const Report& report) {
  Table table;
  for (size_t i = 0; i < report.sentences.size(); ++i)
    for (const Measured& m : report.sentences[i].measured) table.add(i, report.sentences[i], m);
  return std::move(table).text();
}

}  // namespace weft
