// What the pictures of attention share: labels, the scale, colours.
#pragma once

#include <weft/seq2seq/pictures/attention_picture.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weft {

struct Colour {
  double red, green, blue;  // 0 to 255
};

using Ramp = std::array<Colour, 6>;

/// From none to all on white paper, and on a dark screen.
inline constexpr Ramp kPaperRamp{{{244, 245, 250},
                                  {208, 219, 241},
                                  {143, 176, 222},
                                  {76, 125, 190},
                                  {36, 74, 146},
                                  {17, 31, 82}}};
inline constexpr Ramp kScreenRamp{
    {{22, 22, 34}, {52, 34, 98}, {128, 44, 122}, {212, 72, 98}, {250, 152, 92}, {255, 240, 182}}};

/// Throws, naming `who`, unless every map has a row per target and a column per source label.
void check_picture(const char* who, const AttentionPicture& picture);

/// Labels fit to be shown.
std::vector<std::string> display_labels(const std::vector<std::string>& labels);

/// Place on the scale, in [0, 1], of a weight; of anything that is no weight, 0.
double intensity(double weight);

/// The colour at `t` in [0, 1].
Colour colour_at(const Ramp& ramp, double t);

}  // namespace weft
