// A question, its picture and what a model made of them, as an SVG file. Every word of the question
// has two boards. The mats around the patches say, above, how much the word attends to each, and
// below, how the logit of the answer changes with that. Blue is positive and red negative, a pair
// that the colour-blind can tell apart.
#pragma once

#include <weft/seq2seq.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "scenes.h"

namespace scenes {

struct Look {
  weft::Tensor picture;  // [patches, pixels]
  std::string question, answer;
  weft::Tensor attention, gradient;  // [T, patches]
};

// The picture as '#scene': patches 8 wide, 10 from one to the next.
inline void define_scene(std::ostream& svg, const weft::Tensor& picture) {
  svg << "<defs><g id='scene' stroke-width='1.04'>\n";
  for (int64_t patch = 0; patch < kPatches; ++patch) {
    const int64_t left = 10 * (patch % kSide) + 1, top = 10 * (patch / kSide) + 1;
    svg << "<path d='M" << left << " " << top << "h8v8h-8z' fill='#fff'/>\n";
    for (int64_t i = 0; i < kPixels * kPixels; ++i) {
      svg << "<path d='M" << left + i % kPixels << " " << top + i / kPixels << ".5h1' stroke='#";
      for (int64_t c = 0; c < 3; ++c)
        svg << "0123456789abcdef"[std::lround(15 *
                                              std::clamp(picture.at({patch, 3 * i + c}), 0., 1.))];
      svg << "'/>\n";
    }
  }
  svg << "</g></defs>\n";
}

inline std::string hex(const weft::Colour& colour) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", static_cast<unsigned>(colour.red),
                static_cast<unsigned>(colour.green), static_cast<unsigned>(colour.blue));
  return text;
}

// The picture with mats in the colours of `numbers` [patches], each in [-1, 1].
inline void draw_board(std::ostream& svg, size_t x, size_t y, double scale,
                       const weft::Tensor& numbers) {
  svg << "<g transform='translate(" << x << " " << y << ") scale(" << scale << ")'>\n";
  for (int64_t patch = 0; patch < kPatches; ++patch)
    svg << "<path d='M" << 10 * (patch % kSide) << " " << 10 * (patch / kSide)
        << "h10v10h-10z' fill='"
        << hex(weft::colour_at(weft::kPaperScale, weft::intensity(numbers.at({patch})))) << "'/>\n";
  svg << "<use href='#scene'/></g>\n";
}

inline void draw_text(std::ostream& svg, size_t x, size_t y, const std::string& text,
                      const std::string& style = "") {
  svg << "<text x='" << x << "' y='" << y << "' " << style << ">" << text << "</text>\n";
}

inline void draw_large_board(std::ostream& svg, size_t x, size_t y) {
  draw_board(svg, x, y, 5, weft::zeros({kPatches}));
  for (size_t i = 0; i < kSide; ++i) {
    draw_text(svg, x + 20 + 50 * i, y + 218, std::string(1, static_cast<char>('a' + i)));
    draw_text(svg, x - 15, y + 30 + 50 * i, std::string(1, static_cast<char>('4' - i)));
  }
}

inline std::ofstream open_picture(const std::string& file) {
  std::ofstream svg(file);
  if (!svg) throw weft::Error("the picture cannot be written to " + file);
  return svg;
}

inline void draw_svg(const std::string& file, const Look& look) {
  constexpr size_t kLeft = 340, kPitch = 96, kTop = 84;
  const size_t width = kLeft + kPitch * static_cast<size_t>(look.attention.size(0));
  std::ofstream svg = open_picture(file);
  svg << "<svg xmlns='http://www.w3.org/2000/svg' width='" << width << "' height='320' "
      << "font-family='Helvetica, Arial, sans-serif' font-size='14' fill='#1d2333'>\n"
      << "<rect width='100%' height='100%' fill='#fff'/>\n";
  define_scene(svg, look.picture);
  draw_text(svg, 35, 36, look.question + "?  " + look.answer, "font-size='20'");
  draw_large_board(svg, 35, kTop);
  draw_text(svg, kLeft - 78, kTop + 45, "attention");
  draw_text(svg, kLeft - 78, kTop + 157, "gradient");
  const double steepest = max(abs(look.gradient)).item();  // 0 where attention is saturated
  const weft::Tensor slopes = steepest > 0 ? look.gradient / steepest : look.gradient;
  draw_text(svg, kLeft, kTop + 222, "blue raises the logit of the answer, red lowers it",
            "font-size='12'");
  std::istringstream words(look.question);
  std::string word;
  for (int64_t t = 0; words >> word; ++t) {
    const size_t x = kLeft + kPitch * static_cast<size_t>(t);
    draw_text(svg, x, kTop - 10, word);
    draw_board(svg, x, kTop, 2.2, select(look.attention, 0, t));
    draw_board(svg, x, kTop + 112, 2.2, select(slopes, 0, t));
  }
  svg << "</svg>\n";
}

}  // namespace scenes
