// Times training steps on several ranks: how long forward and backward take, what of the exchange
// they do not hide, the optimizer, and how many bytes a rank sends. A JSON line on standard output.
//   mpirun -n 2 ranks_bench --train 128,512,4,3,3,8000,32,32,32 --steps 10
#include <fmt/core.h>
#include <sys/resource.h>
#include <weft/core/parallel.h>
#include <weft/optim/distributed/data_parallel.h>
#include <weft/optim/distributed/local_sgd.h>
#include <weft/optim/distributed/mpi/mpi_communicator.h>
#include <weft/optim/distributed/sharded_optimizer.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "recorder.h"
#include "workload.h"

namespace {

using namespace weft;

struct Settings {
  std::vector<int64_t> train;
  std::vector<double> sleep;
  int64_t parts = 0, local_steps = 0;
  double bucket_mb = 4;
  int steps = 10, threads = 1;
  bool sharded = false;
  std::string timeline;
};

// Of a step, in seconds.
struct Times {
  double step = 0, compute = 0, exchange = 0, optimizer = 0, sent = 0;
};
constexpr size_t kTimes = sizeof(Times) / sizeof(double);

Workload make_workload(const Settings& s, int rank) {
  if (!s.sleep.empty())
    return sleeping_workload(std::llround(s.sleep[0]), std::llround(s.sleep[1]), s.sleep[2]);
  const std::vector<int64_t>& n = s.train;
  return transformer_workload({"", n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]},
                              1 + static_cast<uint64_t>(rank));
}

class Training {
 public:
  Training(Communicator& communicator, Recorder& recorder, const Settings& s)
      : recorder_(recorder),
        work_(make_workload(s, communicator.rank())),
        adam_(work_.parameters, {.lr = 1e-4, .beta1 = 0.9, .beta2 = 0.98}),
        parts_(s.parts > 0 ? s.parts : communicator.size()) {
    if (s.local_steps > 0) {
      parts_ = parts_of_rank(parts_, 0, communicator.size()).end;
      local_.emplace(communicator, work_.parameters, LocalSgdOptions{.steps = s.local_steps});
    } else {
      average_.emplace(communicator, work_.parameters,
                       DataParallelOptions{.bucket_bytes = std::llround(s.bucket_mb * (1 << 20))});
    }
    if (s.sharded) sharded_.emplace(communicator, work_.parameters, adam_);
  }

  Times step() {
    Times t;
    const double begin = now();
    double sums = 0;
    {
      double whole = 0;
      recorder_.record("gradients", 0, whole, [&] { gradients(t); });
      sums = whole;
    }
    t.exchange = sums - t.compute;
    recorder_.record("optimizer", 0, t.optimizer, [&] {
      sharded_ ? sharded_->step() : adam_.step();
      adam_.zero_grad();
    });
    if (local_) recorder_.record("outer step", 0, t.exchange, [&] { local_->step(); });
    t.step = now() - begin;
    return t;
  }

  int64_t parts() const { return parts_; }
  double tokens() const { return work_.tokens; }
  double elements() const {
    double n = 0;
    for (const NamedTensor& p : work_.parameters) n += static_cast<double>(p.tensor.numel());
    return n;
  }
  double state_bytes() const {
    double bytes = 0;
    for (const NamedTensor& t : adam_.state_dict())
      bytes +=
          static_cast<double>(t.tensor.numel()) * static_cast<double>(size_of(t.tensor.dtype()));
    return bytes;
  }

 private:
  void gradients(Times& t) {
    const auto part = [&](int64_t) {
      Tensor loss;
      recorder_.record("forward", 0, t.compute,
                       [&] { loss = work_.loss() * (1 / static_cast<double>(parts_)); });
      recorder_.record("backward", 0, t.compute, [&] { loss.backward(); });
    };
    if (average_) return average_->sum_gradients(parts_, part);
    for (int64_t i = 0; i < parts_; ++i) part(i);
  }

  Recorder& recorder_;
  Workload work_;
  Adam adam_;
  int64_t parts_;
  std::optional<DataParallel> average_;
  std::optional<LocalSgd> local_;
  std::optional<ShardedOptimizer> sharded_;
};

double sent_by(const std::vector<Event>& events) {
  double bytes = 0;
  for (const Event& e : events) bytes += static_cast<double>(e.bytes);
  return bytes;
}

// Everybody's, in the order of ranks.
template <class T>
std::vector<T> gather(Communicator& communicator, std::span<const T> mine) {
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<size_t> counts(ranks);
  const size_t size = mine.size_bytes();
  communicator.all_gather(std::as_bytes(std::span(&size, 1)),
                          std::as_writable_bytes(std::span(counts)),
                          std::vector<size_t>(ranks, sizeof(size_t)));
  std::vector<T> all(std::accumulate(counts.begin(), counts.end(), size_t{0}) / sizeof(T));
  communicator.all_gather(std::as_bytes(mine), std::as_writable_bytes(std::span(all)), counts);
  return all;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One number of a step: of the ranks' the mean, or the largest.
double over_ranks(const std::vector<Times>& all, size_t steps, size_t step, double Times::*which,
                  bool largest) {
  const size_t ranks = all.size() / steps;
  double mean = 0, most = 0;
  for (size_t r = 0; r < ranks; ++r) {
    const double value = all[r * steps + step].*which;
    mean += value / static_cast<double>(ranks);
    most = std::max(most, value);
  }
  return largest ? most : mean;
}

void print(const Settings& s, const Training& training, const std::vector<Times>& all, int ranks,
           double state_mb) {
  const size_t steps = all.size() / static_cast<size_t>(ranks);
  const auto of = [&](double Times::*which, bool largest = false) {
    std::vector<double> values;
    for (size_t i = 0; i < steps; ++i) values.push_back(over_ranks(all, steps, i, which, largest));
    return s.local_steps > 0  // meetings are rare and count
               ? std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(steps)
               : median(values);
  };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"ranks\": {}, \"threads\": {}, \"parameters\": {:.0f}, \"parts\": {}, "
      "\"bucket_mb\": {}, \"sharded\": {}, \"local_steps\": {}, \"step_ms\": {:.2f}, "
      "\"compute_ms\": {:.2f}, \"slowest_compute_ms\": {:.2f}, \"exchange_ms\": {:.2f}, "
      "\"optimizer_ms\": {:.2f}, \"sent_mb\": {:.3f}, \"state_mb\": {:.2f}, "
      "\"peak_rss_mb\": {:.0f}, \"tokens_per_s\": {:.0f}}}\n",
      ranks, num_threads(), training.elements(), training.parts(), s.bucket_mb, s.sharded,
      s.local_steps, 1e3 * of(&Times::step, true), 1e3 * of(&Times::compute),
      1e3 * of(&Times::compute, true), 1e3 * of(&Times::exchange), 1e3 * of(&Times::optimizer),
      1e-6 * of(&Times::sent), state_mb, static_cast<double>(usage.ru_maxrss) / 1024,
      training.tokens() * static_cast<double>(training.parts()) * (s.local_steps > 0 ? ranks : 1) /
          of(&Times::step, true));
}

// Each rank's events, from when rank 0's step began, in milliseconds.
void write_timeline(const std::string& file, Communicator& communicator,
                    const std::vector<Event>& events) {
  std::vector<double> begins;
  for (const Event& e : events) begins.push_back(e.begin);
  const double mine = *std::min_element(begins.begin(), begins.end());
  const std::vector<double> all = gather(communicator, std::span<const double>(&mine, 1));
  const double start = *std::min_element(all.begin(), all.end());
  std::string text;
  for (const Event& e : events)
    text += fmt::format(
        "{{\"rank\": {}, \"what\": \"{}\", \"begin_ms\": {:.3f}, \"end_ms\": {:.3f}, "
        "\"sent_bytes\": {}}}\n",
        communicator.rank(), e.what, 1e3 * (e.begin - start), 1e3 * (e.end - start), e.bytes);
  const std::vector<char> lines = gather(communicator, std::span<const char>(text));
  if (communicator.rank() == 0) std::ofstream(file).write(lines.data(), std::ssize(lines));
}

void run(const Settings& s) {
  MpiCommunicator mpi;
  Recorder recorder;
  RecordedCommunicator communicator(mpi, recorder);
  set_num_threads(s.threads);
  Training training(communicator, recorder, s);
  const int64_t warm_up = s.local_steps > 0 ? s.local_steps : 2;
  for (int64_t i = 0; i < warm_up; ++i) training.step();
  recorder.take();
  std::vector<Times> mine;
  std::vector<Event> events;
  for (int i = 0; i < s.steps; ++i) {
    mine.push_back(training.step());
    events = recorder.take();
    mine.back().sent = sent_by(events);
  }
  const std::vector<Times> all = gather(mpi, std::span<const Times>(mine));
  const double state = training.state_bytes();
  const std::vector<double> states = gather(mpi, std::span<const double>(&state, 1));
  if (mpi.rank() == 0)
    print(s, training, all, mpi.size(), 1e-6 * *std::max_element(states.begin(), states.end()));
  if (!s.timeline.empty()) write_timeline(s.timeline, mpi, events);
}

int run_program(int argc, char** argv) {
  CLI::App app{"Times training steps on several ranks; a JSON line."};
  Settings s;
  auto* work = app.add_option_group("work", "What a part of an update is");
  work->add_option(
          "--train", s.train,
          "A Transformer: d_model,ffn,heads,encoder,decoder,vocabulary,batch,source,target")
      ->delimiter(',')
      ->expected(9);
  work->add_option("--sleep", s.sleep, "A stand-in that sleeps: layers,parameters,milliseconds")
      ->delimiter(',')
      ->expected(3);
  work->require_option(1);
  app.add_option("--parts", s.parts, "Parts of an update, of all ranks; 0: one for each");
  app.add_option("--bucket-mb", s.bucket_mb, "MiB of a bucket of gradients")->capture_default_str();
  app.add_option("--steps", s.steps, "Timed steps")->check(CLI::PositiveNumber);
  app.add_option("--threads", s.threads, "Threads of each rank")->check(CLI::Range(1, 1024));
  auto* sharded = app.add_flag("--sharded", s.sharded, "Cut the optimizer's state among ranks");
  app.add_option("--local-steps", s.local_steps,
                 "Meet after so many steps, with an outer optimizer")
      ->excludes(sharded);
  app.add_option("--timeline", s.timeline, "Write the events of the last step of all ranks here");
  CLI11_PARSE(app, argc, argv);
  run(s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "ranks_bench: %s\n", e.what());
    return 1;
  }
}
