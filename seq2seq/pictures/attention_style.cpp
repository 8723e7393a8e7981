// What the pictures of attention share.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/pictures/attention_style.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {
constexpr size_t kLongestLabel = 18;
}  // namespace

void check_picture(const char* who, const AttentionPicture& picture) {
  const int64_t rows = std::ssize(picture.target), columns = std::ssize(picture.source);
  check(rows > 0 && columns > 0 && !picture.maps.empty(),
        "{}: expected words on both sides and a layer; got {} source words, {} target words, "
        "{} layers",
        who, columns, rows, picture.maps.size());
  for (const auto& heads : picture.maps) {
    for (const AttentionMap& map : heads) {
      check(map.rows == rows && map.columns == columns && std::ssize(map.weights) == rows * columns,
            "{}: expected maps of {} target by {} source words; got [{}, {}] with {} weights", who,
            rows, columns, map.rows, map.columns, map.weights.size());
    }
  }
}

std::vector<std::string> display_labels(const std::vector<std::string>& labels) {
  std::vector<std::string> result;
  result.reserve(labels.size());
  for (const std::string& label : labels) result.push_back(printable(label, kLongestLabel));
  return result;
}

bool has_negative(const AttentionPicture& picture) {
  for (const auto& heads : picture.maps) {
    for (const AttentionMap& map : heads) {
      if (std::any_of(map.weights.begin(), map.weights.end(), [](double w) { return w < 0; }))
        return true;
    }
  }
  return false;
}

double intensity(double weight) {
  if (std::isnan(weight)) return 0;
  return std::copysign(std::sqrt(std::min(std::abs(weight), 1.)), weight);
}

Colour colour_at(const Scale& scale, double t) {
  const Ramp& ramp = t < 0 ? scale.negative : scale.positive;
  const double at = std::abs(t) * static_cast<double>(ramp.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), ramp.size() - 2);
  const double f = at - static_cast<double>(i);
  const auto mix = [&](double Colour::*c) {
    return ramp[i].*c + f * (ramp[i + 1].*c - ramp[i].*c);
  };
  return {mix(&Colour::red), mix(&Colour::green), mix(&Colour::blue)};
}

}  // namespace weft
