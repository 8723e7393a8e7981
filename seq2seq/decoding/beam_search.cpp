#include <weft/core/detail/check.h>
#include <weft/core/kernels/reduce.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

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

// A number that `count` of these reach; the least there is if there are not so many.
float reached_by(const std::vector<float>& values, size_t count) {
  if (values.size() < count) return -std::numeric_limits<float>::infinity();
  std::vector<float> best(count);
  std::partial_sort_copy(values.begin(), values.end(), best.begin(), best.end(), std::greater<>());
  return best.back();
}

// The end of a hypothesis and its best `beam` continuations: an end is no beginning and takes none
// of their places. A model has no business writing other specials.
void add_candidates(const SentenceState& sentence, size_t row, size_t beam,
                    std::vector<Candidate>& all) {
  constexpr size_t kBlock = 64;  // ids: few blocks hold a good one, as their largest tells
  const std::span<const float> log_probs = sentence.next(row), words = log_probs.subspan(kEnd + 1);
  const auto sum = [&](float p) { return sentence.live[row].log_prob + static_cast<double>(p); };
  std::vector<float> largest;
  for (size_t at = 0; at < words.size(); at += kBlock)
    largest.push_back(
        kernels::largest<float>(words.subspan(at, std::min(kBlock, words.size() - at))));
  const double least = sum(reached_by(largest, beam));
  all.push_back({{row, kEnd}, sum(log_probs[kEnd])});
  const auto first = static_cast<std::ptrdiff_t>(all.size());
  for (size_t block = 0; block < largest.size(); ++block) {
    if (sum(largest[block]) < least) continue;
    for (size_t i = block * kBlock; i < std::min((block + 1) * kBlock, words.size()); ++i)
      if (sum(words[i]) >= least)
        all.push_back({{row, kEnd + 1 + static_cast<int64_t>(i)}, sum(words[i])});
  }
  const auto past = first + std::min(static_cast<std::ptrdiff_t>(beam), std::ssize(all) - first);
  std::nth_element(all.begin() + first, all.begin() + past, all.end(), better);
  all.erase(all.begin() + past, all.end());
}

// Where a step may go, the best first.
struct Step {
  std::vector<Candidate> ends, beginnings;
};

// The best of all down to the last beginning that the beam holds; of the ends as many as there is
// room for.
Step best_of(std::vector<Candidate> all, size_t beam, size_t room) {
  std::sort(all.begin(), all.end(), better);
  Step step;
  for (const Candidate& c : all) {
    if (step.beginnings.size() == beam) break;
    if (c.choice.id != kEnd)
      step.beginnings.push_back(c);
    else if (step.ends.size() < room)
      step.ends.push_back(c);
  }
  return step;
}

double penalised(double log_prob, int64_t length, double alpha) {
  return log_prob / std::pow((5 + static_cast<double>(length)) / 6, alpha);
}

// The most that a beginning of so many ids may score in the end. Powers and quotients are rounded.
double most(double log_prob, int64_t ids, int64_t longest, double alpha) {
  const double sum =
      log_prob + static_cast<double>(kMostLogProb) * static_cast<double>(longest - ids);
  const double score = std::max(penalised(sum, ids + 1, alpha), penalised(sum, longest, alpha));
  return score * (score < 0 ? 1 - 1e-12 : 1 + 1e-12);
}

// Whether what scores at most so much comes after the first n. Of equal ones the earlier is first.
bool certain(std::vector<double> scores, int64_t n, double others) {
  if (std::ssize(scores) < n) return false;
  double *const begin = scores.data(), *const last = begin + n - 1;
  std::nth_element(begin, last, begin + scores.size(), std::greater<>());
  return *last >= others;
}

// Whether nothing is left to find, or to gain, by going on.
bool is_last(const SentenceState& sentence, const Step& step, const BeamOptions& o) {
  const int64_t length = std::ssize(sentence.live[0].ids) + 1;
  std::vector<double> scores;
  for (const Hypothesis& h : sentence.finished)
    scores.push_back(penalised(h.log_prob, std::ssize(h.ids) + 1, o.length_penalty));
  for (const Candidate& c : step.ends)
    scores.push_back(penalised(c.log_prob, length, o.length_penalty));
  if (std::ssize(scores) == o.beam || step.beginnings.empty()) return true;
  return certain(scores, o.n_best > 0 ? o.n_best : o.beam,
                 most(step.beginnings[0].log_prob, length, sentence.longest, o.length_penalty));
}

}  // namespace

BeamSearch::BeamSearch(const BeamOptions& options) : options_(options) {
  check(options.beam >= 1, "decode: the beam must be at least 1; got {}", options.beam);
  check(std::isfinite(options.length_penalty), "decode: length_penalty must be finite; got {}",
        options.length_penalty);
  check(options.n_best >= 0 && options.n_best <= options.beam,
        "decode: n_best must be in [0, {}], the beam; got {}", options.beam, options.n_best);
}

std::vector<Choice> BeamSearch::choose(const SentenceState& sentence) const {
  const auto beam = static_cast<size_t>(options_.beam);
  std::vector<Candidate> candidates;
  for (size_t row = 0; row < sentence.live.size(); ++row)
    add_candidates(sentence, row, beam, candidates);
  const Step step = best_of(std::move(candidates), beam, beam - sentence.finished.size());
  std::vector<Choice> choices;
  for (const Candidate& end : step.ends) choices.push_back(end.choice);
  if (is_last(sentence, step, options_)) return choices;
  for (const Candidate& beginning : step.beginnings) choices.push_back(beginning.choice);
  return choices;
}

double BeamSearch::score(const Hypothesis& finished) const {
  return penalised(finished.log_prob, std::ssize(finished.ids) + 1, options_.length_penalty);
}

}  // namespace weft
