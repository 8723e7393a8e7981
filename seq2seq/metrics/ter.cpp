// The limits and the order of preference are Tercom's and sacreBLEU's: others would give other
// scores.
#include <weft/seq2seq/metrics/ter.h>
#include <weft/seq2seq/metrics/word_error_rate.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace weft {
namespace {

constexpr int64_t kLongestMove = 10;          // words
constexpr int64_t kFarthestMove = 50;         // words between the two places of a run
constexpr int64_t kMostTried = 1000;          // moves of a sentence
constexpr int64_t kBeam = 25;                 // cells on either side of the diagonal
constexpr int64_t kNever = int64_t{1} << 40;  // more edits than any sentence needs

using WordIds = std::vector<int64_t>;  // a number for each word

enum class Edit : char { kMatch, kReplace, kDelete, kInsert };  // of the hypothesis's words

// Edit distances of the hypothesis's beginnings to the reference's, near the diagonal.
class EditTable {
 public:
  EditTable(const WordIds& hypothesis, const WordIds& reference)
      : hypothesis_(hypothesis),
        reference_(reference),
        slope_(static_cast<double>(reference.size()) /
               static_cast<double>(std::max<size_t>(1, hypothesis.size()))) {
    if (hypothesis.empty()) return;
    if (kBeam < slope_ / 2) beam_ = static_cast<int64_t>(std::ceil(slope_ / 2 + kBeam));
    cells_.resize(hypothesis.size() * static_cast<size_t>(width()));
    for (int64_t i = 1; i <= std::ssize(hypothesis); ++i)
      for (int64_t j = first(i); j < end(i); ++j) cells_[index(i, j)] = best(i, j);
  }

  int64_t distance() const { return at(std::ssize(hypothesis_), std::ssize(reference_)).edits; }

  // From the first word to the last.
  std::vector<Edit> edits() const {
    std::vector<Edit> path;
    int64_t i = std::ssize(hypothesis_), j = std::ssize(reference_);
    while (i > 0 || j > 0) {
      path.push_back(at(i, j).last);
      if (path.back() != Edit::kInsert) --i;
      if (path.back() != Edit::kDelete) --j;
    }
    std::reverse(path.begin(), path.end());
    return path;
  }

 private:
  struct Cell {
    int64_t edits = kNever;
    Edit last = Edit::kInsert;
  };

  // Row i has the columns from first(i) to end(i), and the last row all up to its own end.
  int64_t width() const { return 2 * beam_ + 2; }
  int64_t diagonal(int64_t i) const {
    return static_cast<int64_t>(std::floor(static_cast<double>(i) * slope_));
  }
  int64_t first(int64_t i) const { return std::max<int64_t>(0, diagonal(i) - beam_); }
  int64_t end(int64_t i) const {
    const int64_t columns = std::ssize(reference_) + 1;
    return i == std::ssize(hypothesis_) ? columns : std::min(columns, diagonal(i) + beam_);
  }
  size_t index(int64_t i, int64_t j) const {
    return static_cast<size_t>((i - 1) * width() + j - first(i));
  }
  Cell at(int64_t i, int64_t j) const {
    if (i == 0) return {j, Edit::kInsert};
    return j < first(i) || j >= end(i) ? Cell{} : cells_[index(i, j)];
  }

  // Between equals: match or replacement, then deletion, then insertion.
  Cell best(int64_t i, int64_t j) const {
    Cell best;
    if (j > 0) {
      const bool same =
          hypothesis_[static_cast<size_t>(i - 1)] == reference_[static_cast<size_t>(j - 1)];
      best = {at(i - 1, j - 1).edits + !same, same ? Edit::kMatch : Edit::kReplace};
    }
    if (const int64_t n = at(i - 1, j).edits + 1; n < best.edits) best = {n, Edit::kDelete};
    if (j == 0) return best;
    if (const int64_t n = at(i, j - 1).edits + 1; n < best.edits) best = {n, Edit::kInsert};
    return best;
  }

  const WordIds &hypothesis_, &reference_;
  double slope_;  // of the diagonal
  int64_t beam_ = kBeam;
  std::vector<Cell> cells_;
};

// Which words have edits, and where each of the reference's words stands in the hypothesis: at an
// inserted one, the place of the word before it.
struct Alignment {
  std::vector<int64_t> place;  // of the reference's words; -1 before the first
  std::vector<bool> hypothesis_wrong, reference_wrong;

  explicit Alignment(const std::vector<Edit>& edits) {
    int64_t at = -1;
    for (const Edit edit : edits) {
      const bool wrong = edit != Edit::kMatch;
      if (edit != Edit::kInsert) {
        ++at;
        hypothesis_wrong.push_back(wrong);
      }
      if (edit == Edit::kDelete) continue;
      place.push_back(at);
      reference_wrong.push_back(wrong);
    }
  }
};

// A run of the hypothesis's words that stands in the reference too.
struct Run {
  int64_t hypothesis, reference, length;
};

bool any(const std::vector<bool>& flags, int64_t first, int64_t count) {
  const auto begin = flags.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  return std::find(begin, end, true) != end;
}

// `words` with the run at `from` before the word at `to`, or within itself moved as far.
WordIds moved(WordIds words, int64_t from, int64_t length, int64_t to) {
  const auto begin = words.data(), first = begin + from, last = first + length;
  const int64_t size = std::ssize(words);
  if (to < from)
    std::rotate(begin + to, first, last);
  else
    std::rotate(first, last, begin + (to > from + length ? to : std::min(to + length, size)));
  return words;
}

// Moves of one hypothesis towards a reference.
class Mover {
 public:
  Mover(WordIds& words, const WordIds& reference) : words_(words), reference_(reference) {}

  // The fewest edits found, moves included.
  int64_t edits() {
    for (int64_t moves = 0;; ++moves) {
      const EditTable table(words_, reference_);
      std::optional<Move> best = best_move(table);
      if (tried_ >= kMostTried || !best || best->saved <= 0) return moves + table.distance();
      words_ = moved(words_, -best->from, best->length, -best->to);
    }
  }

 private:
  // Compared in this order: what saves most, then the longest, then the earliest.
  struct Move {
    int64_t saved, length, from, to;  // the last two negative
    auto operator<=>(const Move&) const = default;
  };

  std::optional<Move> best_move(const EditTable& table) {
    const Alignment alignment(table.edits());
    std::optional<Move> best;
    for (int64_t h = 0; h < std::ssize(words_); ++h) {
      const int64_t end = std::min<int64_t>(std::ssize(reference_), h + kFarthestMove + 1);
      for (int64_t r = std::max<int64_t>(0, h - kFarthestMove); r < end; ++r) {
        for (int64_t length = 1; matches({h, r, length}); ++length) {
          if (may_move(alignment, {h, r, length}))
            try_places(table.distance(), alignment, {h, r, length}, best);
          if (tried_ >= kMostTried) return best;
        }
      }
    }
    return best;
  }

  // Whether the run's last word is the same on both sides: the ones before were looked at.
  bool matches(const Run& run) const {
    const int64_t h = run.hypothesis + run.length - 1, r = run.reference + run.length - 1;
    return run.length <= kLongestMove && h < std::ssize(words_) && r < std::ssize(reference_) &&
           words_[static_cast<size_t>(h)] == reference_[static_cast<size_t>(r)];
  }

  // Something must be wrong with the words that go and with the place they go to, which is not
  // among themselves.
  static bool may_move(const Alignment& alignment, const Run& run) {
    const int64_t to = alignment.place[static_cast<size_t>(run.reference)];
    return any(alignment.hypothesis_wrong, run.hypothesis, run.length) &&
           any(alignment.reference_wrong, run.reference, run.length) &&
           (to < run.hypothesis || to >= run.hypothesis + run.length);
  }

  // Behind the word before the reference's run, and behind each word of it.
  void try_places(int64_t before, const Alignment& alignment, const Run& run,
                  std::optional<Move>& best) {
    int64_t last = -1;
    for (int64_t r = run.reference - 1; r < run.reference + run.length; ++r) {
      const int64_t to = r < 0 ? 0 : alignment.place[static_cast<size_t>(r)] + 1;
      if (to == last) continue;
      last = to;
      const WordIds after = moved(words_, run.hypothesis, run.length, to);
      const Move move{before - EditTable(after, reference_).distance(), run.length, -run.hypothesis,
                      -to};
      if (!best || move > *best) best = move;
      ++tried_;
    }
  }

  WordIds& words_;
  const WordIds& reference_;
  int64_t tried_ = 0;
};

}  // namespace

Counts ter_counts(const std::string& hypothesis, const std::string& reference) {
  std::unordered_map<std::string, int64_t> numbers;
  const auto words = [&](const std::string& line) {
    WordIds found;
    const std::string lower = lower_case(line);
    for (const std::string_view word : split_words(lower))
      found.push_back(numbers.emplace(word, std::ssize(numbers)).first->second);
    return found;
  };
  WordIds from = words(hypothesis);
  const WordIds to = words(reference);
  check_words("ter", std::ssize(from), std::ssize(to));
  const int64_t edits = to.empty() ? std::ssize(from) : Mover(from, to).edits();
  return {static_cast<double>(edits), static_cast<double>(to.size())};
}

double ter(std::span<const std::string> hypotheses, std::span<const std::string> references) {
  return edit_rate(sum_counts("ter", hypotheses, references, ter_counts));
}

}  // namespace weft
