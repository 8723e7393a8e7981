#include <weft/autograd/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/check.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

// No translation of a natural sentence is longer than this; a model that repeats itself stops here.
int64_t longest_output(int64_t source_length) { return 2 * source_length + 10; }

struct Hypothesis {
  Ids ids;
  double log_prob = 0;
};

// A way to go on: hypothesis `from` followed by `id`.
struct Candidate {
  size_t from;
  int64_t id;
  double log_prob;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
  return a.id != b.id ? a.id < b.id : a.from < b.from;
}

// The search for one sentence; the model sees its live hypotheses as rows.
class Search {
 public:
  Search(int64_t limit, const SearchOptions& options)
      : options_(options), limit_(limit), live_(1) {}

  const std::vector<Hypothesis>& live() const { return live_; }
  bool done() const { return live_.empty(); }

  /// Continues with the log-probabilities of the live hypotheses' next ids, a row of `width` each.
  /// Returns which old row each new live hypothesis continues.
  std::vector<size_t> advance(const float* log_probs, int64_t width) {
    std::vector<Candidate> candidates;
    for (size_t row = 0; row < live_.size(); ++row)
      add_candidates(row, log_probs + static_cast<int64_t>(row) * width, width, candidates);
    std::sort(candidates.begin(), candidates.end(), better);
    std::vector<Hypothesis> next;
    std::vector<size_t> parents;
    for (const Candidate& c : candidates) {
      if (next.size() == beam()) break;
      if (c.id == kEnd) {
        if (finished_.size() < beam()) finish(live_[c.from].ids, c.log_prob);
        continue;
      }
      next.push_back({live_[c.from].ids, c.log_prob});
      next.back().ids.push_back(c.id);
      parents.push_back(c.from);
    }
    live_ = std::move(next);
    if (finished_.size() >= beam() || length() >= limit_) close();
    return parents.empty() || done() ? std::vector<size_t>{} : parents;
  }

  const Ids& best() const {
    return std::max_element(finished_.begin(), finished_.end(),
                            [](const auto& a, const auto& b) { return a.log_prob < b.log_prob; })
        ->ids;
  }

 private:
  size_t beam() const { return static_cast<size_t>(options_.beam); }
  int64_t length() const { return live_.empty() ? 0 : static_cast<int64_t>(live_[0].ids.size()); }

  // The end of a hypothesis and its best `beam` continuations: an end is no beginning and takes
  // none of their places. A model has no business writing other specials.
  void add_candidates(size_t row, const float* log_probs, int64_t width,
                      std::vector<Candidate>& all) const {
    all.push_back(candidate(row, kEnd, log_probs));
    const auto first = static_cast<std::ptrdiff_t>(all.size());
    auto worst_first = [](const Candidate& a, const Candidate& b) { return better(a, b); };
    for (int64_t id = kEnd + 1; id < width; ++id) {
      const Candidate c = candidate(row, id, log_probs);
      if (all.size() - static_cast<size_t>(first) < beam()) {
        all.push_back(c);
        std::push_heap(all.begin() + first, all.end(), worst_first);
      } else if (better(c, all[static_cast<size_t>(first)])) {
        std::pop_heap(all.begin() + first, all.end(), worst_first);
        all.back() = c;
        std::push_heap(all.begin() + first, all.end(), worst_first);
      }
    }
  }

  Candidate candidate(size_t row, int64_t id, const float* log_probs) const {
    const Candidate c{row, id, live_[row].log_prob + static_cast<double>(log_probs[id])};
    // Nothing is better than NaN, nor worse: there would be no order to search in.
    check(!std::isnan(c.log_prob),
          "beam_search: log-probabilities must be numbers; got nan for id {}: the weights of the "
          "model are damaged",
          id);
    return c;
  }

  void finish(const Ids& ids, double log_prob) {
    const double length = static_cast<double>(ids.size()) + 1;
    finished_.push_back({ids, log_prob / std::pow((5 + length) / 6, options_.length_penalty)});
  }

  void close() {
    if (finished_.empty())
      for (const Hypothesis& h : live_) finish(h.ids, h.log_prob);
    live_.clear();
  }

  SearchOptions options_;
  int64_t limit_;
  std::vector<Hypothesis> live_, finished_;  // finished ones with their penalized score
};

// The last id of every live row, in order of sentences.
Tensor last_ids(const std::vector<Search>& searches) {
  Ids ids;
  for (const Search& s : searches)
    for (const Hypothesis& h : s.live()) ids.push_back(h.ids.empty() ? kBegin : h.ids.back());
  const auto rows = static_cast<int64_t>(ids.size());
  return from_vector(ids, {rows, 1});
}

}  // namespace

std::vector<Ids> beam_search(Seq2SeqModel& model, const PaddedIds& sources,
                             const SearchOptions& options) {
  NoGrad no_grad;
  std::vector<Search> searches;
  for (int64_t length : sources.lengths) searches.emplace_back(longest_output(length), options);
  const std::unique_ptr<Decoding> decoding = model.start(sources);
  for (;;) {
    const Tensor ids = last_ids(searches);
    if (ids.numel() == 0) break;
    const Tensor log_probs = decoding->next_log_probs(ids);  // [rows, V]
    const int64_t width = log_probs.size(1);
    const float* row = log_probs.data<float>();
    Ids kept;  // rows that the next step continues
    int64_t first = 0;
    for (Search& s : searches) {
      const auto rows = static_cast<int64_t>(s.live().size());
      if (rows == 0) continue;
      for (size_t parent : s.advance(row + first * width, width))
        kept.push_back(first + static_cast<int64_t>(parent));
      first += rows;
    }
    decoding->keep(kept);
  }
  std::vector<Ids> best;
  for (const Search& s : searches) best.push_back(s.best());
  return best;
}

}  // namespace weft
