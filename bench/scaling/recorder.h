// What a rank does and when: for timelines, and to count what it sends.
#pragma once

#include <weft/optim/distributed/communicator.h>

#include <chrono>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

namespace weft {

/// Seconds of a clock that all ranks on one machine share.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Event {
  std::string what;
  double begin, end;  ///< seconds
  size_t bytes;       ///< sent to others
};

class Recorder {
 public:
  /// What `act` gives, and seconds that it took to `seconds`.
  template <class Act>
  void record(const char* what, size_t bytes, double& seconds, Act act) {
    const double begin = now();
    act();
    const double end = now();
    seconds += end - begin;
    const std::lock_guard lock(mutex_);
    events_.push_back({what, begin, end, bytes});
  }
  std::vector<Event> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
};

/// Another communicator, whose calls are recorded.
class RecordedCommunicator : public Communicator {
 public:
  RecordedCommunicator(Communicator& inner, Recorder& recorder)
      : inner_(inner), recorder_(recorder) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void broadcast(Bytes bytes) override {
    record("broadcast", rank() == 0 ? bytes.size() * others() : 0,
           [&] { inner_.broadcast(bytes); });
  }
  void all_gather(ConstBytes mine, Bytes all, std::span<const size_t> counts) override {
    record("all_gather", mine.size() * others(), [&] { inner_.all_gather(mine, all, counts); });
  }
  void all_to_all(ConstBytes mine, std::span<const size_t> sent, Bytes theirs,
                  std::span<const size_t> received) override {
    record("all_to_all", mine.size() - sent[static_cast<size_t>(rank())],
           [&] { inner_.all_to_all(mine, sent, theirs, received); });
  }
  bool all_failed() override { return inner_.all_failed(); }
  void abort(int status) override { inner_.abort(status); }

 private:
  size_t others() const { return static_cast<size_t>(size()) - 1; }
  template <class Act>
  void record(const char* what, size_t bytes, Act act) {
    double seconds = 0;
    recorder_.record(what, bytes, seconds, act);
  }

  Communicator& inner_;
  Recorder& recorder_;
};

}  // namespace weft
