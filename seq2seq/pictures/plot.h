// Points and lines over numbers, or over names, as an SVG file.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weft {

struct Plot {
  struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;  ///< x and y
  };
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::vector<std::string> names{};  ///< of x = 0, 1, ...: points then have no line between them
  bool log_y = false;
};

/// The picture. A point that is not finite, or not above 0 where log_y, is left out; an Error if
/// none is left.
std::string draw_plot(const Plot& plot);

}  // namespace weft
