// Attention in a terminal. Source words stand above the map like stairs, each over its own column:
//
//        the
//        │ cat
//   die  ██░░
//   Katze░░██
//
// A negative weight has a minus beside its shade, or colours of its own.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/pictures/attention_style.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr size_t kCell = 2;            // terminal cells per column: about a square
constexpr size_t kColumnsBetween = 3;  // between two maps

std::string pad_to(std::string text, size_t width) {
  const size_t used = display_width(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::string pad_left(const std::string& text, size_t width) {
  return std::string(width - std::min(width, display_width(text)), ' ') + text;
}

size_t widest(const std::vector<std::string>& labels) {
  size_t width = 0;
  for (const std::string& label : labels) width = std::max(width, display_width(label));
  return width;
}

std::string plain_cell(double weight) {
  constexpr const char* kShades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
  const double t = intensity(weight);
  const std::string shade = kShades[std::lround(std::abs(t) * 4)];
  return shade + (t < 0 && shade != " " ? "-" : shade);
}

std::string coloured_cell(double weight) {
  const Colour c = colour_at(kScreenScale, intensity(weight));
  return fmt::format("\x1b[48;2;{:.0f};{:.0f};{:.0f}m  ", c.red, c.green, c.blue);
}

class TerminalDrawing {
 public:
  TerminalDrawing(const AttentionPicture& picture, bool colour, size_t width)
      : picture_(picture),
        colour_(colour),
        source_(display_labels(picture.source)),
        target_(display_labels(picture.target)),
        margin_(widest(target_) + 1) {
    map_width_ = display_width(caption(picture.maps.size() - 1, picture.maps.back().size() - 1));
    for (size_t i = 0; i < source_.size(); ++i) {
      map_width_ = std::max(map_width_, kCell * i + std::max(kCell, display_width(source_[i])));
    }
    const size_t room = width > margin_ ? width - margin_ : 0;
    heads_per_row_ = std::max<size_t>(1, (room + kColumnsBetween) / (map_width_ + kColumnsBetween));
  }

  std::string draw() const {
    std::string text;
    for (size_t layer = 0; layer < picture_.maps.size(); ++layer) {
      const size_t heads = picture_.maps[layer].size();
      for (size_t first = 0; first < heads; first += heads_per_row_) {
        text += row_of_maps(layer, first, std::min(heads, first + heads_per_row_)) + '\n';
      }
    }
    return text + legend();
  }

 private:
  // One line per title, stair and target word; `piece` gives the part of a head.
  template <class Piece>
  std::string line(const std::string& label, size_t first, size_t last, Piece piece) const {
    std::string text = pad_left(label, margin_ - 1) + ' ';
    for (size_t head = first; head < last; ++head) {
      text += piece(head);
      if (head + 1 < last) text += std::string(kColumnsBetween, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + '\n';
  }

  static std::string caption(size_t layer, size_t head) {
    return fmt::format("layer {}, head {}", layer + 1, head + 1);
  }

  std::string row_of_maps(size_t layer, size_t first, size_t last) const {
    std::string text = line("", first, last,
                            [&](size_t head) { return pad_to(caption(layer, head), map_width_); });
    for (size_t i = 0; i < source_.size(); ++i) {
      text += line("", first, last, [&](size_t) { return stair(i); });
    }
    for (size_t t = 0; t < target_.size(); ++t) {
      text += line(target_[t], first, last,
                   [&](size_t head) { return cells(picture_.maps[layer][head], t); });
    }
    return text;
  }

  std::string stair(size_t i) const {
    std::string text;
    for (size_t j = 0; j < i; ++j) text += "\u2502 ";
    return pad_to(text + source_[i], map_width_);
  }

  std::string cells(const AttentionMap& map, size_t row) const {
    std::string text;
    for (int64_t column = 0; column < map.columns; ++column) {
      const double weight = map.at(static_cast<int64_t>(row), column);
      text += colour_ ? coloured_cell(weight) : plain_cell(weight);
    }
    if (colour_) text += "\x1b[0m";
    return text + std::string(map_width_ - kCell * source_.size(), ' ');
  }

  std::string legend() const {
    std::string text = pad_left("weight", margin_ - 1);
    const bool signs = has_negative(picture_);
    for (const double weight : {-1., -0.25, 0., 0.1, 0.25, 0.5, 1.}) {
      if (weight < 0 && !signs) continue;
      text += ' ' + (colour_ ? coloured_cell(weight) + "\x1b[0m" : plain_cell(weight)) +
              fmt::format(" {}", weight);
    }
    return text + '\n';
  }

  const AttentionPicture& picture_;
  bool colour_;
  std::vector<std::string> source_, target_;
  size_t margin_;
  size_t map_width_ = 0, heads_per_row_ = 1;
};

}  // namespace

std::string draw_for_terminal(const AttentionPicture& picture, bool colour, size_t width) {
  check_picture("draw_for_terminal", picture);
  return TerminalDrawing(picture, colour, width).draw();
}

}  // namespace weft
