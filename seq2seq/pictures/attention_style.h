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

/// From none to the largest weight, and from none to the largest negative one.
struct Scale {
  Ramp positive, negative;
};

/// On white paper: blue and, negative, red. On a dark screen: fire and, negative, ice.
inline constexpr Scale kPaperScale{{{{244, 245, 250},
                                     {208, 219, 241},
                                     {143, 176, 222},
                                     {76, 125, 190},
                                     {36, 74, 146},
                                     {17, 31, 82}}},
                                   {{{244, 245, 250},
                                     {250, 219, 199},
                                     {243, 166, 131},
                                     {214, 96, 77},
                                     {178, 24, 43},
                                     {103, 0, 31}}}};
inline constexpr Scale kScreenScale{
    {{{22, 22, 34}, {52, 34, 98}, {128, 44, 122}, {212, 72, 98}, {250, 152, 92}, {255, 240, 182}}},
    {{{22, 22, 34}, {12, 52, 78}, {10, 92, 116}, {22, 140, 152}, {84, 196, 190}, {206, 250, 240}}}};

/// Throws, naming `who`, unless every map has a row per target and a column per source label.
void check_picture(const char* who, const AttentionPicture& picture);

/// Labels fit to be shown.
std::vector<std::string> display_labels(const std::vector<std::string>& labels);

/// Whether a map has a negative weight, so that the scale needs both its sides.
bool has_negative(const AttentionPicture& picture);

/// Place on the scale, in [-1, 1], of a weight: the root of its size, with its sign; of what is no
/// number, 0.
double intensity(double weight);

/// The colour at `t` in [-1, 1].
Colour colour_at(const Scale& scale, double t);

}  // namespace weft
