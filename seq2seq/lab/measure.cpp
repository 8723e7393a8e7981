#include <weft/seq2seq/lab/detail/builtin.h>

namespace weft {

const char* to_string(Place place) {
  if (place == Place::cross) return "cross";
  return place == Place::encoder ? "encoder" : "decoder";
}

const Maps* Measured::at(Place place) const {
  for (const Maps& m : maps)
    if (m.place == place) return &m;
  return nullptr;
}

std::vector<Measured> take(std::span<const Measure> measures, const Study& study,
                           bool with_tokens) {
  std::vector<Measured> taken;
  for (const Measure& m : measures) {
    Measured& one = taken.emplace_back(Measured{&m, {}, {}});
    if (m.maps) one.maps = m.maps(study);
    if (m.tokens && with_tokens) one.tokens = m.tokens(study);
  }
  return taken;
}

const std::vector<Measure>& builtin_measures() {
  static const std::vector<Measure> measures = [] {
    std::vector<Measure> all = attention_measures();
    for (Measure& m : token_measures()) all.push_back(std::move(m));
    return all;
  }();
  return measures;
}

}  // namespace weft
