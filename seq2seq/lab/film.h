// A film of training: what gradients and attention were like at each validation. A run records it
// (film_recorder.h) in its model directory, and reports show it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weft {

inline constexpr const char* kFilm = "film.jsonl";  ///< in a model directory

struct Film {
  /// A module with heads.
  struct Attention {
    std::string path{};
    int64_t heads = 0;
    bool operator==(const Attention&) const = default;
  };
  /// Numbers are NaN where there was no gradient, signals to noise also where nothing varied.
  struct Frame {
    int64_t update = 0;
    int64_t gradients = 0;                        ///< of so many updates, up to this one
    std::vector<double> norm{}, snr{};            ///< of each layer
    std::vector<double> head_norm{}, head_snr{};  ///< of each head, one attention after another
    std::vector<double> maps{};                   ///< [map_layers, predicted, source]
  };
  static constexpr size_t kMostFrames = 64;

  std::vector<std::string> layers{};
  std::vector<Attention> attention{};
  std::vector<std::string> source{}, predicted{};  ///< tokens of the sentence of the maps, if any
  int64_t map_layers = 0;  ///< cross-attention, the mean of each layer's heads
  int64_t gap = 0;         ///< fewest updates between frames from now on
  std::vector<Frame> frames{};

  int64_t heads() const;
  /// Whether frames of both are of the same layers, heads and sentence.
  bool same_subject(const Film& other) const;
  /// Adds a later frame, unless it comes too soon. At kMostFrames every second one goes, and from
  /// then on they come half as often.
  void add(Frame frame);
};

/// Lines of JSON without their ends: first what frames are of, then one a frame.
std::vector<std::string> film_lines(const Film& film);

/// Writes these lines, all or none.
void save_film(const std::filesystem::path& file, const Film& film);

/// What save_film() wrote; nothing if there is no such file. What is damaged is left out, with a
/// line in `notes` that says so.
Film read_film(const std::filesystem::path& file, std::vector<std::string>& notes);

}  // namespace weft
