#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/detail/builtin.h>

#include <algorithm>

namespace weft {
namespace {

// Tables and files index by these shapes, and a measure may be anybody's.
void check_shapes(const Measured& taken, const Study& study) {
  const auto length = [&](bool of_source) {
    return of_source ? std::ssize(study.source) : study.rows();
  };
  const auto got = [](const Tensor& x) {
    return x.defined() ? to_string(x.shape()) : "an undefined one";
  };
  for (const Maps& m : taken.maps)
    for (const Tensor& x : m.layers) {
      const int64_t rows = length(m.place == Place::encoder),
                    columns = length(m.place != Place::decoder);
      check(x.defined() && x.dim() == 3 && x.size(1) == rows && x.size(2) == columns,
            "expected maps of {} as tensors [H, {}, {}]; got {}", to_string(m.place), rows, columns,
            got(x));
    }
  for (const TokenNumbers& t : taken.tokens) {
    const int64_t tokens = length(t.side == Place::encoder);
    check(t.values.defined() && t.values.shape() == Shape({tokens}),
          "expected numbers of tokens as a tensor [{}]; got {}", tokens, got(t.values));
  }
}

}  // namespace

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
    try {
      if (m.maps) one.maps = m.maps(study);
      if (m.tokens && with_tokens) one.tokens = m.tokens(study);
      std::erase_if(one.maps, [](const Maps& maps) { return maps.layers.empty(); });
      check_shapes(one, study);
    } catch (const Error& e) {
      fail("measure {}: {}", m.name, e.what());
    }
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
