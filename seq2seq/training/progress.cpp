// The progress line. ETA = seconds * (1 - fraction) / fraction.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/training/progress.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr double kRefresh = 0.1;  // seconds between two looks of a line in place

std::string format_rate(double per_second) {
  if (per_second < 1000) return fmt::format("{:.0f}", per_second);
  if (per_second < 1e6) return fmt::format("{:.1f}k", per_second / 1e3);
  return fmt::format("{:.1f}M", per_second / 1e6);
}

}  // namespace

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const int64_t s = std::llround(std::clamp(seconds, 0., 1e12));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string progress_line(const TrainingState& s) {
  const std::string of = s.total_steps > 0 ? fmt::format("/{}", s.total_steps) : "";
  const double left = s.fraction > 0 ? s.seconds * (1 - s.fraction) / s.fraction : HUGE_VAL;
  return fmt::format("step {}{}  loss {:.3f}  {} tokens/s  {}  ETA {}", s.step, of, s.loss,
                     format_rate(s.tokens_per_second), format_seconds(s.seconds),
                     format_seconds(left));
}

Progress::Progress(std::ostream& out, bool in_place, double interval)
    : out_(out), in_place_(in_place), interval_(in_place ? kRefresh : interval) {}

Progress::~Progress() {
  if (open_) out_ << std::endl;
}

void Progress::update(const TrainingState& state) {
  if (state.seconds < next_) return;
  next_ = state.seconds + interval_;
  clear();
  out_ << progress_line(state);
  if (!in_place_) out_ << '\n';
  out_ << std::flush;
  open_ = in_place_;
}

void Progress::print(const std::string& line) {
  clear();
  out_ << line << std::endl;
}

void Progress::clear() {
  if (open_) out_ << "\r\x1b[K";  // to the start of the line, and erase it
  open_ = false;
}

}  // namespace weft
