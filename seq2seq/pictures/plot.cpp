#include <fmt/format.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/pictures/detail/svg.h>
#include <weft/seq2seq/pictures/plot.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft {
namespace {

constexpr double kWidth = 720, kHeight = 400, kLeft = 72, kTop = 52, kBottom = 64, kRow = 18;
constexpr double kRight = 480;  // where the legend begins
// Of Okabe and Ito, told apart by colour-blind people; dashes tell those that come round again.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#000000"};
constexpr const char* kDashes[] = {"", " stroke-dasharray='6 3'", " stroke-dasharray='2 3'"};

struct Axis {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  double from = 0, to = 1;  // on the page

  void take(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  double at(double value) const { return from + (to - from) * (value - least) / (most - least); }
};

// 1, 2 or 5 times a power of ten: about five steps from least to most.
double round_step(const Axis& axis) {
  const double rough = (axis.most - axis.least) / 5,
               power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1., 2., 5.})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

class PlotDrawing {
 public:
  explicit PlotDrawing(const Plot& plot) : plot_(plot) {
    for (const Plot::Series& series : plot.series)
      for (const auto& [x, y] : series.points)
        if (shown(x, y)) {
          x_.take(x);
          y_.take(scaled(y));
        }
    check(x_.most >= x_.least, "plot: there are no points to draw");
    const auto names = static_cast<double>(plot.names.size());
    check(plot.names.empty() || (x_.least >= 0 && x_.most <= names - 1),
          "plot: x must be the place of one of {} names; got {} to {}", names, x_.least, x_.most);
    if (!plot.log_y) y_.take(0);
    for (Axis* axis : {&x_, &y_})
      if (axis->most - axis->least <= 1e-9 * std::max(std::abs(axis->least), std::abs(axis->most)))
        axis->most += std::max(1.0, 1e-3 * std::abs(axis->most));
    x_.from = kLeft + (plot.names.empty() ? 0 : 24);
    x_.to = kRight - 20;
    y_.from = kHeight - kBottom;
    y_.to = kTop;
  }

  std::string draw() const {
    std::string svg = fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
        "font-family='Segoe UI, Helvetica Neue, Arial, DejaVu Sans, sans-serif'>\n"
        "<title>{2}</title>\n<rect width='100%' height='100%' fill='#fff'/>\n",
        kWidth, kHeight, escape_xml(plot_.title));
    svg += text(kLeft, 30, 16, kInk, "start", plot_.title);
    svg += y_ticks() + x_ticks();
    for (size_t i = 0; i < plot_.series.size(); ++i) svg += series(i) + legend(i);
    return svg + "</svg>\n";
  }

 private:
  double scaled(double y) const { return plot_.log_y ? std::log10(y) : y; }
  bool shown(double x, double y) const { return std::isfinite(x) && std::isfinite(scaled(y)); }

  static std::string text(double x, double y, double font, const char* fill, const char* anchor,
                          const std::string& content) {
    return fmt::format(
        "<text x='{:.1f}' y='{:.1f}' font-size='{}' fill='{}' text-anchor='{}'>{}</text>\n", x, y,
        font, fill, anchor, escape_xml(content));
  }

  std::string y_ticks() const {
    std::string svg = text(kLeft, kTop - 8, 11, kFaded, "start", plot_.y_label);
    const double step = round_step(y_);
    for (double v = std::ceil(y_.least / step) * step; v <= y_.most + step / 1e6; v += step) {
      const double y = y_.at(v), value = plot_.log_y ? std::pow(10, v) : v;
      svg += fmt::format("<path d='M{} {:.1f}H{}' stroke='#e3e6ee'/>\n", kLeft, y, kRight - 20);
      const double shown_value = std::abs(value) < step / 1e6 ? 0 : value;
      svg += text(kLeft - 8, y + 4, 11, kFaded, "end", fmt::format("{:.3g}", shown_value));
    }
    return svg;
  }

  std::string x_ticks() const {
    std::string svg = text((kLeft + kRight) / 2, kHeight - 14, 11, kFaded, "middle", plot_.x_label);
    const double step = plot_.names.empty() ? round_step(x_) : 1;
    for (double v = std::ceil(x_.least / step) * step; v <= x_.most + step / 1e6; v += step) {
      const auto place = static_cast<size_t>(v);
      if (!plot_.names.empty() && place >= plot_.names.size()) break;
      const std::string label =
          plot_.names.empty() ? fmt::format("{:.3g}", v) : printable(plot_.names.at(place), 16);
      svg += text(
          x_.at(v),
          kHeight - kBottom + 18 + (plot_.names.empty() ? 0 : 12. * static_cast<double>(place % 2)),
          10, kFaded, "middle", label);
    }
    return svg;
  }

  std::string colour(size_t i) const { return kColours[i % std::size(kColours)]; }

  std::string line(size_t i, const std::string& path) const {
    return fmt::format("<path d='{}' fill='none' stroke='{}' stroke-width='1.8'{}/>\n", path,
                       colour(i), kDashes[i / std::size(kColours) % std::size(kDashes)]);
  }

  std::string series(size_t i) const {
    std::string path, points;
    for (const auto& [x, y] : plot_.series[i].points) {
      if (!shown(x, y)) continue;
      const double px = x_.at(x), py = y_.at(scaled(y));
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px, py);
      points +=
          fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='{}'/>\n", px, py, colour(i));
    }
    return plot_.names.empty() ? line(i, path) + points : points;
  }

  std::string legend(size_t i) const {
    const double y = kTop + kRow * static_cast<double>(i);
    return line(i, fmt::format("M{} {}h20", kRight, y)) +
           text(kRight + 28, y + 4, 11, kInk, "start", plot_.series[i].name);
  }

  const Plot& plot_;
  Axis x_, y_;
};

}  // namespace

std::string draw_plot(const Plot& plot) { return PlotDrawing(plot).draw(); }

}  // namespace weft
