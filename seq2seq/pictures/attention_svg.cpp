// Attention as an SVG file: a grid of heat maps, layers down and heads across, with the source
// words slanted above every map, the target words left of the first map in a row, and one colour
// scale.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/pictures/attention_style.h>
#include <weft/seq2seq/pictures/detail/svg.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr double kMargin = 32, kGap = 20, kCaption = 26, kHeader = 108, kFooter = 20;
constexpr double kSlant = 52;        // degrees of the source labels
constexpr double kFaintest = 0.002;  // a smaller weight looks like none: no cell is drawn

std::string hex(const Colour& c) {
  return fmt::format("#{:02x}{:02x}{:02x}", std::lround(c.red), std::lround(c.green),
                     std::lround(c.blue));
}

// About the width of sans-serif text.
double text_width(const std::string& text, double font) {
  return 0.58 * font * static_cast<double>(display_width(text));
}

// A text element; `content` is markup, `attributes` what it needs besides place, size and colour.
std::string text_at(double x, double y, double font, const char* fill,
                    const std::string& attributes, const std::string& content) {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' font-size='{:.1f}' fill='{}'{}>{}</text>\n", x, y,
                     font, fill, attributes, content);
}

std::string sentence(const std::vector<std::string>& words, size_t max_characters) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return printable(text, max_characters);
}

// The tiles of no weight, in units of a cell.
std::string tiles() {
  return fmt::format(
      "<defs><pattern id='tiles' width='1' height='1' patternUnits='userSpaceOnUse'>"
      "<rect width='1' height='1' fill='{}' stroke='#fff' stroke-width='.07'/></pattern></defs>\n",
      hex(kPaperScale.positive.front()));
}

class SvgDrawing {
 public:
  explicit SvgDrawing(const AttentionPicture& picture)
      : picture_(picture),
        source_(display_labels(picture.source)),
        target_(display_labels(picture.target)) {
    const auto longest = static_cast<double>(std::max(source_.size(), target_.size()));
    cell_ = std::clamp(260 / longest, 8., 24.);
    font_ = std::clamp(cell_ * 0.72, 6.5, 12.5);
    measure_labels();
    for (const auto& heads : picture.maps) heads_ = std::max(heads_, heads.size());
  }

  std::string draw() const {
    const double width = std::max(page_width(), 560.), height = page_height();
    std::string svg = fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0:.0f}' height='{1:.0f}' "
        "viewBox='0 0 {0:.0f} {1:.0f}' font-family='Segoe UI, "
        "Helvetica Neue, Arial, DejaVu Sans, sans-serif'>",
        width, height);
    svg += "\n<title>Cross-attention</title>\n";
    svg += "<rect width='100%' height='100%' fill='#fff'/>\n";
    svg += tiles() + header(width) + legend(width);
    for (size_t layer = 0; layer < picture_.maps.size(); ++layer) svg += row(layer);
    return svg + "</svg>\n";
  }

 private:
  void measure_labels() {
    const double slant = kSlant * std::acos(-1.) / 180;
    for (const std::string& label : target_) left_ = std::max(left_, text_width(label, font_));
    left_ += 8;
    for (size_t i = 0; i < source_.size(); ++i) {
      const double length = text_width(source_[i], font_);
      const double column = (static_cast<double>(i) + 0.5) * cell_;
      top_ = std::max(top_, length * std::sin(slant));
      overhang_ = std::max(overhang_, column + length * std::cos(slant) - map_width());
    }
    top_ += 10;
  }

  double map_width() const { return cell_ * static_cast<double>(source_.size()); }
  double map_height() const { return cell_ * static_cast<double>(target_.size()); }
  double pitch_x() const { return map_width() + std::max(overhang_, 0.) + kGap; }
  double pitch_y() const { return kCaption + top_ + map_height() + kGap; }
  double page_width() const {
    return 2 * kMargin + left_ + pitch_x() * static_cast<double>(heads_) - kGap;
  }
  double page_height() const {
    return kHeader + pitch_y() * static_cast<double>(picture_.maps.size()) + kFooter;
  }

  std::string header(double width) const {
    const auto line = [&](const char* name, const std::vector<std::string>& words) {
      const auto room = static_cast<size_t>((width - 2 * kMargin - 50) / (0.54 * 13));
      return fmt::format("<tspan fill='{}'>{}</tspan><tspan x='{}'>{}</tspan>", kFaded, name,
                         kMargin + 50, escape_xml(sentence(words, room)));
    };
    return text_at(kMargin, 42, 21, kInk, " font-weight='600'", "Cross-attention") +
           text_at(kMargin, 70, 13, kInk, "", line("source", source_)) +
           text_at(kMargin, 89, 13, kInk, "", line("target", target_));
  }

  // A bar of the colours, with marks where round weights fall on the square-root scale; there is
  // room for fewer where it has two sides.
  std::string legend(double width) const {
    constexpr double kBar = 150, kHeight = 10, kY = 38;
    constexpr int kSteps = 50;
    const bool signs = has_negative(picture_);
    const double least = signs ? -1 : 0;  // of the scale
    const double x = width - kMargin - kBar;
    std::string svg = text_at(x, kY - 8, 11, kFaded, "", "attention weight");
    for (int i = 0; i < kSteps; ++i) {
      svg += fmt::format("<rect x='{:.1f}' y='{}' width='{:.1f}' height='{}' fill='{}'/>",
                         x + kBar * i / kSteps, kY, kBar / kSteps + 0.4, kHeight,
                         hex(colour_at(kPaperScale, least + (1 - least) * (i + 0.5) / kSteps)));
    }
    svg += '\n';
    for (const double weight : {-1., -0.25, 0., 0.1, 0.25, 0.5, 1.}) {
      if (intensity(weight) < least || (signs && (weight == 0.1 || weight == 0.5))) continue;
      svg += text_at(x + kBar * (intensity(weight) - least) / (1 - least), kY + kHeight + 13, 10,
                     kFaded, " text-anchor='middle'", fmt::format("{}", weight));
    }
    return svg;
  }

  std::string row(size_t layer) const {
    const double y = kHeader + pitch_y() * static_cast<double>(layer);
    std::string svg;
    for (size_t t = 0; t < target_.size(); ++t) {
      svg += text_at(kMargin + left_ - 8, y + kCaption + top_ + row_centre(t), font_, kInk,
                     " text-anchor='end'", escape_xml(target_[t]));
    }
    for (size_t head = 0; head < picture_.maps[layer].size(); ++head) {
      svg += panel(layer, head, kMargin + left_ + pitch_x() * static_cast<double>(head), y);
    }
    return svg;
  }

  // Baseline of a row's label, so that the small letters stand in the middle.
  double row_centre(size_t t) const {
    return (static_cast<double>(t) + 0.5) * cell_ + 0.33 * font_;
  }

  std::string panel(size_t layer, size_t head, double x, double y) const {
    std::string svg = text_at(x, y + 12, 11.5, kFaded, " font-weight='600'",
                              fmt::format("Layer {} \u00b7 Head {}", layer + 1, head + 1));
    svg += fmt::format("<g transform='translate({:.1f} {:.1f})'>\n", x, y + kCaption + top_);
    for (size_t i = 0; i < source_.size(); ++i) {
      const double column = (static_cast<double>(i) + 0.5) * cell_ + 0.25 * font_;
      svg += text_at(column, -5, font_, kInk,
                     fmt::format(" transform='rotate({} {:.1f} -5)'", -kSlant, column),
                     escape_xml(source_[i]));
    }
    // Cells are drawn one unit wide and scaled up: small numbers keep the file small.
    svg += fmt::format("<g transform='scale({:.2f})' stroke='#fff' stroke-width='.07'>", cell_);
    svg += fmt::format("<rect width='{}' height='{}' fill='url(#tiles)' stroke='none'/>\n",
                       source_.size(), target_.size());
    return svg + cells(picture_.maps[layer][head]) + "</g></g>\n";
  }

  std::string cells(const AttentionMap& map) const {
    std::string svg;
    for (int64_t row = 0; row < map.rows; ++row) {
      for (int64_t column = 0; column < map.columns; ++column) {
        const double weight = map.at(row, column);
        if (!(std::abs(weight) >= kFaintest)) continue;
        svg += fmt::format("<rect x='{}' y='{}' width='1' height='1' fill='{}'>", column, row,
                           hex(colour_at(kPaperScale, intensity(weight))));
        svg += fmt::format("<title>{} \u2192 {}  {:.3f}</title></rect>\n",
                           escape_xml(source_[static_cast<size_t>(column)]),
                           escape_xml(target_[static_cast<size_t>(row)]), weight);
      }
    }
    return svg;
  }

  const AttentionPicture& picture_;
  std::vector<std::string> source_, target_;
  size_t heads_ = 0;
  double cell_ = 0, font_ = 0;
  double left_ = 0, top_ = 0, overhang_ = 0;  // room for the labels
};

}  // namespace

std::string draw_svg(const AttentionPicture& picture) {
  check_picture("draw_svg", picture);
  return SvgDrawing(picture).draw();
}

}  // namespace weft
