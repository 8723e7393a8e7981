// Ranks that MPI started, as by `mpirun -n 4 program`. In a library of its own, weft::mpi, which is
// built where MPI is found.
#pragma once

#include <weft/optim/distributed/communicator.h>

#include <memory>

namespace weft {

/// All processes that were started together. Made once in a process. If it is destroyed while an
/// exception is on its way out, all ranks end: a rank that is gone must not let the others wait.
class MpiCommunicator : public Communicator {
 public:
  /// Error if MPI does not let calls come from any thread.
  MpiCommunicator();
  ~MpiCommunicator() override;
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void broadcast(Bytes bytes) override;
  void all_gather(ConstBytes mine, Bytes all, std::span<const size_t> counts) override;
  void all_to_all(ConstBytes mine, std::span<const size_t> sent, Bytes theirs,
                  std::span<const size_t> received) override;
  bool all_failed() override;
  void abort(int status) override;

 private:
  struct Failures;

  int rank_ = 0, size_ = 1, exceptions_;
  std::unique_ptr<Failures> failures_;
};

}  // namespace weft
