#include <weft/core/detail/check.h>
#include <weft/core/random.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace weft {
namespace {
__extension__ using Wide = unsigned __int128;

thread_local RandomRecorder* t_recorder = nullptr;  // the innermost
}  // namespace

std::array<uint32_t, 4> philox(uint64_t seed, uint64_t counter) {
  std::array<uint32_t, 4> c{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0,
                            0};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

Generator::Generator(uint64_t seed) : state_(std::make_shared<State>(State{seed, 0})) {}

uint64_t Generator::seed() const { return state_->seed; }
uint64_t Generator::position() const { return state_->position; }
void Generator::set_state(uint64_t seed, uint64_t position) {
  if (t_recorder) t_recorder->note(*this);
  *state_ = {seed, position};
}

RandomKey Generator::next_key() {
  // A stream of its own: a key's seed is drawn, so that elements of two keys never share counters.
  return {next(), 0};
}

uint64_t Generator::next() {
  if (t_recorder) [[unlikely]]
    t_recorder->note(*this);
  const auto w = philox(state_->seed, state_->position++);
  return uint64_t{w[1]} << 32 | w[0];
}

int64_t Generator::below(int64_t n) {
  check(n > 0, "Generator::below: n must be positive; got {}", n);
  // The high half of a 64 x 64 bit product; the bias, n / 2^64, is below anything measurable.
  return static_cast<int64_t>((static_cast<Wide>(next()) * static_cast<uint64_t>(n)) >> 64);
}

double Generator::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

template <class T>
T Generator::uniform(double lo, double hi) {
  check(lo <= hi, "Generator::uniform: lo must not exceed hi; got {} and {}", lo, hi);
  const T x = static_cast<T>(lo + (hi - lo) * uniform()), end = static_cast<T>(hi);
  const T start = static_cast<T>(lo);
  return x < end ? x : start < end ? std::nextafter(end, start) : start;
}

template float Generator::uniform(double, double);
template double Generator::uniform(double, double);

double Generator::normal() {  // Box and Muller, one of the pair
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

RandomRecorder::RandomRecorder() : outer_(t_recorder) { t_recorder = this; }
RandomRecorder::~RandomRecorder() { t_recorder = outer_; }

void RandomRecorder::note(const Generator& generator) {
  for (RandomRecorder* r = this; r; r = r->outer_) {
    auto is_it = [&](const GeneratorState& s) { return s.generator.state_ == generator.state_; };
    if (std::none_of(r->states_.begin(), r->states_.end(), is_it))
      r->states_.push_back({generator, generator.seed(), generator.position()});
  }
}

RandomReplay::RandomReplay(const std::vector<GeneratorState>& states) {
  for (const GeneratorState& s : states) {
    Generator g = s.generator;
    before_.push_back({g, g.seed(), g.position()});
    g.set_state(s.seed, s.position);
  }
}

RandomReplay::~RandomReplay() {
  for (GeneratorState& s : before_) s.generator.set_state(s.seed, s.position);
}

}  // namespace weft
