// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Number i of a stream depends on (seed, i) alone, so any thread may make it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace weft {

/// Four 32-bit words of the stream `seed` at position `counter`.
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t counter);

/// What a random op is addressed with: element i of its result depends on (seed, offset, i) alone,
/// so a mask can be made again instead of stored.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t offset = 0;
};

/// A seeded stream. Copies share one position: hand the same generator to every layer.
class Generator {
 public:
  explicit Generator(uint64_t seed);

  uint64_t seed() const;
  /// How many keys were handed out: with the seed, the whole state.
  uint64_t position() const;
  void set_state(uint64_t seed, uint64_t position);

  /// A key that no other call returns: of a stream of its own, for one random op.
  RandomKey next_key();
  /// 64 random bits.
  uint64_t next();
  /// Uniform in [0, n); n must be positive.
  int64_t below(int64_t n);
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [lo, hi) as T, float or double: a number that would be rounded up to hi is the one
  /// below it. Error unless lo <= hi; where they are equal as T, that number.
  template <class T>
  T uniform(double lo, double hi);
  /// Standard normal.
  double normal();

 private:
  friend class RandomRecorder;
  struct State {
    uint64_t seed, position;
  };
  std::shared_ptr<State> state_;
};

/// Where a generator stood.
struct GeneratorState {
  Generator generator;
  uint64_t seed, position;
};

/// Remembers where each generator that is used on this thread in its scope stood at first.
class RandomRecorder {
 public:
  RandomRecorder();
  ~RandomRecorder();
  RandomRecorder(const RandomRecorder&) = delete;
  RandomRecorder& operator=(const RandomRecorder&) = delete;

  const std::vector<GeneratorState>& states() const { return states_; }

 private:
  friend class Generator;
  void note(const Generator& generator);

  RandomRecorder* outer_;
  std::vector<GeneratorState> states_;
};

/// Puts generators back to where they stood, for a scope that draws the same numbers again.
class RandomReplay {
 public:
  explicit RandomReplay(const std::vector<GeneratorState>& states);
  ~RandomReplay();
  RandomReplay(const RandomReplay&) = delete;
  RandomReplay& operator=(const RandomReplay&) = delete;

 private:
  std::vector<GeneratorState> before_;
};

}  // namespace weft
