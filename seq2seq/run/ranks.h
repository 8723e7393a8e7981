// The processes that train one model together, as the loop sees them: which one this is, what each
// does its share of, what all agree on. Where there is one process nothing of it has a cost.
#pragma once

#include <weft/optim/distributed/communicator.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/seq2seq/text/batching.h>

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace weft {

/// All ranks make the same calls in the same order. While it lives, a signal does not interrupt ops
/// of this thread where there are several ranks, for one that stopped alone would let the others
/// wait for ever; heed_signals() stops them all.
class Ranks {
 public:
  /// The communicator must outlive it.
  explicit Ranks(Communicator& communicator = one_rank());

  Communicator& communicator() const { return communicator_; }
  int64_t count() const { return communicator_.size(); }
  bool several() const { return count() > 1; }
  /// Whether this is rank 0, the one that writes and prints.
  bool first() const { return communicator_.rank() == 0; }

  /// What rank 0 gives; the others wait for it.
  template <class T>
  T of_first(T value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    communicator_.broadcast({reinterpret_cast<std::byte*>(&value), sizeof value});
    return value;
  }
  std::string of_first(std::string text) const;
  void wait_for_first() const { of_first(true); }

  /// The numbers f(0), f(1), ..., f(n - 1) on every rank; each computes its share of them.
  template <class F>
  std::vector<double> map(int64_t n, F f) const {
    std::vector<double> mine;
    for_share(n, [&](int64_t i) { mine.push_back(f(i)); });
    return in_order(mine, n);
  }

  /// The sum of what the ranks have, on every rank, in the order of ranks.
  double sum(double mine) const;

  /// Texts on every rank, each in the place of its number: f(group) gives those of the numbers in a
  /// group. Each rank computes its share of the groups, which hold every number once.
  template <class F>
  std::vector<std::string> map(const std::vector<Batch>& groups, F f) const {
    std::vector<std::string> mine;
    for_share(std::ssize(groups), [&](int64_t i) {
      for (std::string& text : f(groups[static_cast<size_t>(i)])) mine.push_back(std::move(text));
    });
    return in_order(mine, groups);
  }

  /// Numbers of the parts of an update: each rank has those of its own (parts.h) and gets all.
  std::vector<double> of_parts(const std::vector<double>& numbers) const;

  /// Throws Interrupted on every rank if one of them got a signal since its InterruptScope began.
  /// A rank that is alone is interrupted by its ops.
  void heed_signals() const;

 private:
  // Item i is that of rank i mod count(): neighbours, which are of like length, go to different
  // ranks. All look out for signals together.
  template <class F>
  void for_share(int64_t n, F f) const {
    for (int64_t begin = 0; begin < n; begin += count()) {
      heed_signals();
      if (const int64_t i = begin + communicator_.rank(); i < n) f(i);
    }
  }
  std::vector<double> in_order(const std::vector<double>& mine, int64_t n) const;
  std::vector<std::string> in_order(const std::vector<std::string>& mine,
                                    const std::vector<Batch>& groups) const;

  Communicator& communicator_;
  std::optional<Uninterrupted> together_;
};

}  // namespace weft
