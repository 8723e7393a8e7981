// Ranks that are threads of one process, for tests.
#pragma once

#include <weft/optim/distributed/communicator.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

namespace weft {

// Catch takes assertions from one thread at a time.
inline void expect(bool as_announced) {
  if (!as_announced) std::terminate();
}

// Ranks that are threads, and talk by a table that all can see.
class ThreadTable {
 public:
  explicit ThreadTable(int ranks) : turn_(ranks), bytes_(static_cast<size_t>(ranks)) {}

  // Everybody shows bytes, then looks at those of all.
  template <class Look>
  void meet(int rank, ConstBytes mine, Look look) {
    bytes_[static_cast<size_t>(rank)] = mine;
    turn_.arrive_and_wait();
    look(bytes_);
    turn_.arrive_and_wait();
  }

 private:
  std::barrier<> turn_;
  std::vector<ConstBytes> bytes_;
};

class ThreadRank : public Communicator {
 public:
  ThreadRank(ThreadTable& table, int rank, int ranks) : table_(table), rank_(rank), ranks_(ranks) {}

  int rank() const override { return rank_; }
  int size() const override { return ranks_; }

  void broadcast(Bytes bytes) override {
    table_.meet(rank_, bytes, [&](const auto& all) {
      if (rank_ > 0) std::memcpy(bytes.data(), all[0].data(), bytes.size());
    });
  }
  void all_gather(ConstBytes mine, Bytes all, std::span<const size_t> counts) override {
    table_.meet(rank_, mine, [&](const auto& shown) {
      size_t at = 0;
      for (size_t r = 0; r < shown.size(); at += counts[r++]) {
        expect(shown[r].size() == counts[r]);
        std::copy(shown[r].begin(), shown[r].end(), all.begin() + static_cast<ptrdiff_t>(at));
      }
      expect(at == all.size());
    });
  }
  void all_to_all(ConstBytes mine, std::span<const size_t> sent, Bytes theirs,
                  std::span<const size_t> received) override {
    expect(sent.size() == static_cast<size_t>(ranks_));
    expect(std::accumulate(sent.begin(), sent.end(), size_t{0}) == mine.size());
    std::vector<size_t> from(sent.size());  // where the piece for this rank begins
    table_.meet(rank_, std::as_bytes(sent), [&](const auto& shown) {
      for (size_t r = 0; r < shown.size(); ++r) {
        std::vector<size_t> of_rank(sent.size());
        std::memcpy(of_rank.data(), shown[r].data(), shown[r].size());
        expect(of_rank[static_cast<size_t>(rank_)] == received[r]);
        from[r] = std::accumulate(of_rank.begin(), of_rank.begin() + rank_, size_t{0});
      }
    });
    table_.meet(rank_, mine, [&](const auto& shown) {
      size_t at = 0;
      for (size_t r = 0; r < shown.size(); at += received[r++]) {
        const auto piece = shown[r].subspan(from[r], received[r]);
        std::copy(piece.begin(), piece.end(), theirs.begin() + static_cast<ptrdiff_t>(at));
      }
      expect(at == theirs.size());
    });
  }

  bool all_failed() override { return false; }
  void abort(int) override { std::terminate(); }

 private:
  ThreadTable& table_;
  int rank_, ranks_;
};

/// Calls `run` on so many ranks at once.
inline void on_ranks(int ranks, const std::function<void(Communicator&)>& run) {
  ThreadTable table(ranks);
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      ThreadRank communicator(table, r, ranks);
      run(communicator);
    });
  for (std::thread& t : threads) t.join();
}

/// Catch's checks are for one thread at a time.
inline std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace weft
