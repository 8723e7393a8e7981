// Scenes and questions about them. A scene is a board of 4 x 4 patches, a1 to d4 as in chess, with
// a few things on it, no two of a name; its picture is what the model sees.
#pragma once

#include <weft/weft.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace scenes {

using weft::Generator;

constexpr int64_t kSide = 4, kPatches = kSide * kSide;  // patches of a board
constexpr int64_t kPixels = 8,
                  kPixelsOfPatch = kPixels * kPixels * 3;  // of a patch's side; with 3 colours

constexpr std::array kColours{"red", "green", "blue", "yellow"};
constexpr std::array kShapes{"circle", "square", "triangle"};
constexpr std::array kSizes{"small", "large"};

struct Thing {
  std::string colour, shape, size;
  int64_t column, row;  // from the left and from below

  auto operator<=>(const Thing&) const = default;
  std::string name() const { return colour + " " + shape; }
  std::string place() const {
    return {static_cast<char>('a' + column), static_cast<char>('1' + row)};
  }
};

using Scene = std::vector<Thing>;

template <class List>
const auto& draw(const List& list, Generator& random) {
  return list[static_cast<size_t>(random.below(std::ssize(list)))];
}

inline Scene draw_scene(Generator& random) {
  Scene scene;
  for (const int64_t things = 3 + random.below(3); std::ssize(scene) < things;) {
    const Thing thing{draw(kColours, random), draw(kShapes, random), draw(kSizes, random),
                      random.below(kSide), random.below(kSide)};
    if (std::none_of(scene.begin(), scene.end(), [&](const Thing& other) {
          return other.name() == thing.name() || other.place() == thing.place();
        }))
      scene.push_back(thing);
  }
  std::sort(scene.begin(), scene.end());
  return scene;
}

// Whether a point is inside, seen from the middle of the patch, y downwards.
inline bool covers(const Thing& thing, double x, double y) {
  const double r = thing.size == "small" ? 2 : 3;
  if (thing.shape == "circle") return x * x + y * y <= r * r;
  if (thing.shape == "square") return std::max(std::abs(x), std::abs(y)) <= r;
  return std::abs(y) <= r && std::abs(x) <= (y + r) / 2;
}

/// The picture, [16, 192]: patches from the upper left on, each with its pixels' red, green and
/// blue, from 0 to 1 but for a little noise.
inline weft::Tensor paint(const Scene& scene, Generator& random) {
  constexpr float kPaint[][3] = {
      {.8F, .2F, .2F}, {.2F, .6F, .3F}, {.2F, .4F, .9F}, {.9F, .8F, .2F}};
  std::vector<float> pixels(kPatches * kPixelsOfPatch, 0.95F);
  for (const Thing& thing : scene) {
    const auto paint = std::find(kColours.begin(), kColours.end(), thing.colour) - kColours.begin();
    float* pixel = &pixels[static_cast<size_t>(((kSide - 1 - thing.row) * kSide + thing.column) *
                                               kPixelsOfPatch)];
    for (int y = 0; y < kPixels; ++y)
      for (int x = 0; x < kPixels; ++x, pixel += 3)
        if (covers(thing, x - (kPixels - 1) / 2., y - (kPixels - 1) / 2.))
          std::copy_n(kPaint[paint], 3, pixel);
  }
  return weft::from_vector(pixels, {kPatches, kPixelsOfPatch}) +
         0.05 * weft::randn({kPatches, kPixelsOfPatch}, random);
}

struct Question {
  std::string kind, text, answer;
};

inline Question ask_where(const Scene& scene, Generator& random) {
  const Thing& it = draw(scene, random);
  return {"where", "where is the " + it.name(), it.place()};
}

inline Question ask_what(const Scene& scene, Generator& random) {
  const Thing& it = draw(scene, random);
  const std::array<std::array<std::string, 2>, 3> traits{
      {{"colour", it.colour}, {"shape", it.shape}, {"size", it.size}}};
  const auto& [trait, answer] = draw(traits, random);
  return {"what", "what " + trait + " is the thing on " + it.place(), answer};
}

inline Question ask_how_many(const Scene& scene, Generator& random) {
  const std::array<std::string, 3> traits{draw(kColours, random), draw(kShapes, random),
                                          draw(kSizes, random)};
  const std::string& trait = draw(traits, random);
  const auto count = std::count_if(scene.begin(), scene.end(), [&](const Thing& it) {
    return it.colour == trait || it.shape == trait || it.size == trait;
  });
  return {"how many", "how many are " + trait + (trait == traits[1] ? "s" : ""),
          std::to_string(count)};
}

inline Question ask_which_way(const Scene& scene, Generator& random) {
  const Thing& from = draw(scene, random);
  const Thing* to = &from;
  while (to == &from) to = &draw(scene, random);
  const std::string up = to->row > from.row ? "north" : to->row < from.row ? "south" : "";
  const int64_t right = to->column - from.column;
  return {"which way", "which way from the " + from.name() + " to the " + to->name(),
          up + (right > 0   ? "east"
                : right < 0 ? "west"
                            : "")};
}

inline Question ask(const Scene& scene, Generator& random) {
  constexpr std::array kAsk{ask_where, ask_what, ask_how_many, ask_which_way};
  return draw(kAsk, random)(scene, random);
}

}  // namespace scenes
