#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

struct Candidate {
  Choice choice;
  double log_prob;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
  if (a.choice.id != b.choice.id) return a.choice.id < b.choice.id;
  return a.choice.from < b.choice.from;
}

// The end of a hypothesis and its best `beam` continuations: an end is no beginning and takes none
// of their places. A model has no business writing other specials.
void add_candidates(const SentenceState& sentence, size_t row, size_t beam,
                    std::vector<Candidate>& all) {
  const std::span<const float> log_probs = sentence.next(row);
  auto candidate = [&](size_t id) {
    return Candidate{{row, static_cast<int64_t>(id)},
                     sentence.live[row].log_prob + static_cast<double>(log_probs[id])};
  };
  all.push_back(candidate(kEnd));
  const auto first = static_cast<std::ptrdiff_t>(all.size());  // a heap, its worst on top
  for (size_t id = kEnd + 1; id < log_probs.size(); ++id) {
    const Candidate c = candidate(id);
    if (all.size() - static_cast<size_t>(first) < beam) {
      all.push_back(c);
      std::push_heap(all.begin() + first, all.end(), better);
    } else if (better(c, all[static_cast<size_t>(first)])) {
      std::pop_heap(all.begin() + first, all.end(), better);
      all.back() = c;
      std::push_heap(all.begin() + first, all.end(), better);
    }
  }
}

}  // namespace

BeamSearch::BeamSearch(const BeamOptions& options) : options_(options) {
  check(options.beam >= 1, "decode: the beam must be at least 1; got {}", options.beam);
  check(std::isfinite(options.length_penalty), "decode: length_penalty must be finite; got {}",
        options.length_penalty);
}

std::vector<Choice> BeamSearch::choose(const SentenceState& sentence) const {
  const auto beam = static_cast<size_t>(options_.beam);
  std::vector<Candidate> candidates;
  for (size_t row = 0; row < sentence.live.size(); ++row)
    add_candidates(sentence, row, beam, candidates);
  std::sort(candidates.begin(), candidates.end(), better);
  std::vector<Choice> ends, beginnings;
  for (const Candidate& c : candidates) {
    if (beginnings.size() == beam) break;
    if (c.choice.id != kEnd)
      beginnings.push_back(c.choice);
    else if (sentence.finished.size() + ends.size() < beam)
      ends.push_back(c.choice);
  }
  if (sentence.finished.size() + ends.size() < beam)
    ends.insert(ends.end(), beginnings.begin(), beginnings.end());
  return ends;
}

double BeamSearch::score(const Hypothesis& finished) const {
  const double length = static_cast<double>(finished.ids.size()) + 1;
  return finished.log_prob / std::pow((5 + length) / 6, options_.length_penalty);
}

}  // namespace weft
