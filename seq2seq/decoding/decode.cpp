#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/packed_weights.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/reduce.h>
#include <weft/core/parallel.h>
#include <weft/seq2seq/decoding/decode.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <atomic>

namespace weft {
namespace {

// Rows times columns of a batch of sources: enough to keep the cores busy and to pay for the
// packing of weights at every step, little enough for the memory of keys and values.
constexpr int64_t kBatchTokens = 4096;

void check_log_prob(float value, int64_t id, int64_t sentence) {
  check(value <= kMostLogProb,
        "decode: log-probabilities must be numbers of at most 0; got {} for id {} of sentence {}{}",
        value, id, sentence, value > kMostLogProb ? "" : ": the weights of the model are damaged");
}

template <class T>
std::vector<T> appended(const std::vector<T>& list, T last) {
  std::vector<T> longer;
  longer.reserve(list.size() + 1);
  longer.insert(longer.end(), list.begin(), list.end());
  longer.push_back(last);
  return longer;
}

// The decoding of one sentence; the model sees its live hypotheses as rows.
class Search {
 public:
  Search(int64_t number, int64_t longest) : number_(number), longest_(longest), live_(1) {}

  const std::vector<Hypothesis>& live() const { return live_; }

  // Goes on with log_probs [live, V]. Returns which old row each new live hypothesis continues.
  std::vector<size_t> advance(const Strategy& strategy, std::span<const float> log_probs) {
    const SentenceState state{number_, live_, finished_, log_probs, longest_};
    std::vector<Hypothesis> next, ended;
    std::vector<size_t> parents;
    for (const Choice& choice : strategy.choose(state)) {
      Hypothesis h = extended(choice, state);
      if (!h.ended) parents.push_back(choice.from);
      (h.ended ? ended : next).push_back(std::move(h));
    }
    finished_.insert(finished_.end(), ended.begin(), ended.end());
    live_ = std::move(next);
    if (!live_.empty() && std::ssize(live_[0].ids) >= longest_) {
      cut_off_ = std::move(live_);
      live_.clear();
      parents.clear();
    }
    return parents;
  }

  // An Error if one of the log_probs [live, V] is none. A model has no business writing specials
  // other than kEnd: theirs may be anything.
  void check_log_probs(std::span<const float> log_probs) const {
    const size_t width = log_probs.size() / live_.size();
    for (size_t i = 0; i < log_probs.size(); ++i)
      if (i % width >= kEnd) check_log_prob(log_probs[i], static_cast<int64_t>(i % width), number_);
  }

  std::vector<Hypothesis> results(const Strategy& strategy) {
    for (std::vector<Hypothesis>* list : {&finished_, &cut_off_}) {
      for (Hypothesis& h : *list) h.score = strategy.score(h);
      std::stable_sort(list->begin(), list->end(),
                       [](const auto& a, const auto& b) { return a.score > b.score; });
    }
    finished_.insert(finished_.end(), cut_off_.begin(), cut_off_.end());
    check(!finished_.empty(),
          "decode: a strategy must continue or end a hypothesis of every sentence; sentence {} has "
          "none left",
          number_);
    return std::move(finished_);
  }

 private:
  Hypothesis extended(const Choice& choice, const SentenceState& state) const {
    const int64_t width = std::ssize(state.log_probs) / std::ssize(live_);
    check(
        choice.from < live_.size() && choice.id >= 0 && choice.id < width,
        "decode: a choice must have from in [0, {}) and id in [0, {}); got {} and {} for sentence "
        "{}",
        live_.size(), width, choice.from, choice.id, number_);
    const float log_prob = state.next(choice.from)[static_cast<size_t>(choice.id)];
    check_log_prob(log_prob, choice.id, number_);
    const Hypothesis& from = live_[choice.from];
    const bool ends = choice.id == kEnd;
    return {.ids = ends ? from.ids : appended(from.ids, choice.id),
            .token_log_probs = appended(from.token_log_probs, log_prob),
            .log_prob = from.log_prob + static_cast<double>(log_prob),
            .ended = ends};
  }

  int64_t number_, longest_;
  std::vector<Hypothesis> live_, finished_, cut_off_;
};

// The last id of every live row, in order of sentences.
Tensor last_ids(const std::vector<Search>& searches) {
  Ids ids;
  for (const Search& s : searches)
    for (const Hypothesis& h : s.live()) ids.push_back(h.ids.empty() ? kBegin : h.ids.back());
  return from_vector(ids, {std::ssize(ids), 1});
}

// Whether all of log_probs [rows, V] are such, other specials than kEnd aside.
bool all_good(const Tensor& log_probs) {
  constexpr double kCost = 0.15;  // nanoseconds for one
  const int64_t width = log_probs.size(1);
  const float* p = log_probs.data<float>();
  std::atomic<bool> good = true;
  parallel_for(log_probs.size(0), grain_of_cost(kCost * static_cast<double>(width)),
               [&](int64_t begin, int64_t end) {
                 for (const float* row = p + begin * width; row < p + end * width; row += width) {
                   const std::span words(row + kEnd, static_cast<size_t>(width - kEnd));
                   if (!(kernels::largest<float>(words) <= kMostLogProb)) good = false;
                 }
               });
  return good;
}

// One step of all sentences from log_probs [rows, V]: the rows that the next one continues.
Ids advance(std::vector<Search>& searches, const Strategy& strategy, const Tensor& log_probs) {
  constexpr double kCost = 0.3;  // nanoseconds for one
  const int64_t width = log_probs.size(1), sentences = std::ssize(searches);
  const float* p = log_probs.data<float>();
  const bool good = all_good(log_probs);
  std::vector<int64_t> first{0};
  for (const Search& s : searches) first.push_back(first.back() + std::ssize(s.live()));
  std::vector<std::vector<size_t>> parents(searches.size());
  const auto advance_some = [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const int64_t numbers = (first[i + 1] - first[i]) * width;
      const std::span of_sentence(p + first[i] * width, static_cast<size_t>(numbers));
      if (numbers == 0) continue;
      if (!good) searches[i].check_log_probs(of_sentence);
      parents[i] = searches[i].advance(strategy, of_sentence);
    }
  };
  const auto cost = kCost * static_cast<double>(log_probs.numel()) / static_cast<double>(sentences);
  if (strategy.concurrent())
    parallel_for(sentences, grain_of_cost(cost), advance_some);
  else
    advance_some(0, sentences);
  Ids kept;
  for (size_t i = 0; i < parents.size(); ++i)
    for (const size_t parent : parents[i]) kept.push_back(first[i] + static_cast<int64_t>(parent));
  return kept;
}

Tensor next_log_probs(Decoding& decoding, const Tensor& ids) {
  const Tensor found = decoding.next_log_probs(ids);
  check(found.dim() == 2 && found.size(0) == ids.size(0) && found.size(1) > kEnd,
        "decode: next_log_probs must give [{}, V] with V above {}; got {}", ids.size(0), kEnd,
        found.shape());
  return contiguous(to(found, kFloat32));
}

void run(Seq2SeqModel& model, const PaddedIds& sources, const Strategy& strategy,
         std::vector<Search>& searches) {
  const std::unique_ptr<Decoding> decoding = model.start(sources);
  for (Tensor ids = last_ids(searches); ids.numel() > 0; ids = last_ids(searches)) {
    const Ids kept = advance(searches, strategy, next_log_probs(*decoding, ids));
    if (!kept.empty()) decoding->keep(kept);
  }
}

void check_call(std::span<const Ids> sources, const Strategy& strategy,
                std::span<const int64_t> numbers) {
  check(strategy.width() >= 1, "decode: a strategy's width must be at least 1; got {}",
        strategy.width());
  check(numbers.empty() || numbers.size() == sources.size(),
        "decode: every sentence needs a number, or none; got {} for {}", numbers.size(),
        sources.size());
  for (size_t i = 0; i < sources.size(); ++i)
    check(!sources[i].empty(), "decode: a source needs ids; source {} has none", i);
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode(Seq2SeqModel& model, std::span<const Ids> sources,
                                            const Strategy& strategy,
                                            std::span<const int64_t> numbers) {
  check_call(sources, strategy, numbers);
  const NoGrad no_grad;
  const IndependentRows same_bits;
  const PackedWeights packed_once;
  std::vector<std::vector<Hypothesis>> results(sources.size());
  const int64_t budget = std::max<int64_t>(1, kBatchTokens / strategy.width());
  for (const Batch& batch : inference_batches(sources, budget)) {
    std::vector<Ids> rows;
    std::vector<Search> searches;
    for (const int64_t i : batch) {
      const Ids& source = rows.emplace_back(sources[static_cast<size_t>(i)]);
      const int64_t number = numbers.empty() ? i : numbers[static_cast<size_t>(i)];
      searches.emplace_back(number, strategy.longest(std::ssize(source), number));
    }
    run(model, pad_ids(rows), strategy, searches);
    for (size_t r = 0; r < batch.size(); ++r)
      results[static_cast<size_t>(batch[r])] = searches[r].results(strategy);
  }
  return results;
}

}  // namespace weft
