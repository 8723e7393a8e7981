#include <mpi.h>
#include <weft/core/detail/check.h>
#include <weft/optim/distributed/mpi/mpi_communicator.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <numeric>
#include <thread>

namespace weft {
namespace {

// MPI counts in int.
int as_count(size_t n) {
  check(n <= static_cast<size_t>(std::numeric_limits<int>::max()),
        "MpiCommunicator: a message must have at most {} bytes; got {}",
        std::numeric_limits<int>::max(), n);
  return static_cast<int>(n);
}

std::vector<int> as_counts(std::span<const size_t> counts) {
  std::vector<int> all;
  for (const size_t n : counts) all.push_back(as_count(n));
  return all;
}

std::vector<int> starts_of(const std::vector<int>& counts) {
  std::vector<int> starts(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), starts.begin(), 0);
  as_count(std::accumulate(counts.begin(), counts.end(), size_t{0}));
  return starts;
}

constexpr std::chrono::seconds kFailTogether{3};

}  // namespace

// Of a rank that failed while others are in the midst of something else.
struct MpiCommunicator::Failures {
  MPI_Comm ranks = MPI_COMM_NULL;
};

MpiCommunicator::MpiCommunicator() : exceptions_(std::uncaught_exceptions()) {
  int given = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given);
  if (given < MPI_THREAD_SERIALIZED) {
    MPI_Finalize();
    fail("MpiCommunicator: needs an MPI whose calls may come from any thread");
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  failures_ = std::make_unique<Failures>();
  MPI_Comm_dup(MPI_COMM_WORLD, &failures_->ranks);
}

MpiCommunicator::~MpiCommunicator() {
  if (std::uncaught_exceptions() > exceptions_) abort(1);
  MPI_Finalize();
}

void MpiCommunicator::broadcast(Bytes bytes) {
  constexpr size_t kAtOnce = size_t{1} << 30;
  for (size_t at = 0; at < bytes.size(); at += kAtOnce) {
    const size_t n = std::min(kAtOnce, bytes.size() - at);
    MPI_Bcast(bytes.data() + at, as_count(n), MPI_BYTE, 0, MPI_COMM_WORLD);
  }
}

void MpiCommunicator::all_gather(ConstBytes mine, Bytes all, std::span<const size_t> counts) {
  const std::vector<int> n = as_counts(counts), starts = starts_of(n);
  MPI_Allgatherv(mine.data(), as_count(mine.size()), MPI_BYTE, all.data(), n.data(), starts.data(),
                 MPI_BYTE, MPI_COMM_WORLD);
}

void MpiCommunicator::all_to_all(ConstBytes mine, std::span<const size_t> sent, Bytes theirs,
                                 std::span<const size_t> received) {
  const std::vector<int> out = as_counts(sent), in = as_counts(received);
  const std::vector<int> out_starts = starts_of(out), in_starts = starts_of(in);
  MPI_Alltoallv(mine.data(), out.data(), out_starts.data(), MPI_BYTE, theirs.data(), in.data(),
                in_starts.data(), MPI_BYTE, MPI_COMM_WORLD);
}

bool MpiCommunicator::all_failed() {
  const auto end = std::chrono::steady_clock::now() + kFailTogether;
  MPI_Request all_are_here{};
  MPI_Ibarrier(failures_->ranks, &all_are_here);
  int done = 0;
  for (MPI_Test(&all_are_here, &done, MPI_STATUS_IGNORE); !done;
       MPI_Test(&all_are_here, &done, MPI_STATUS_IGNORE)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

void MpiCommunicator::abort(int status) {
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace weft
