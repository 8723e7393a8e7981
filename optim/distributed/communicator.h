// Several processes that train one model, each with a number, its rank: what they must be able to
// say to each other, whatever carries it (MPI: mpi/mpi_communicator.h).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace weft {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

/// Every rank makes the same calls in the same order; a call returns when this rank has what it
/// gives. Calls may come from any thread, one at a time.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Overwrites the bytes of all ranks by those of rank 0.
  virtual void broadcast(Bytes bytes) = 0;

  /// Gives every rank the bytes of all, in the order of ranks; `counts` says how many each has.
  virtual void all_gather(ConstBytes mine, Bytes all, std::span<const size_t> counts) = 0;

  /// `mine` is a piece for each rank, in the order of ranks, of `sent` bytes each; `theirs` takes
  /// the piece that each rank has for this one.
  virtual void all_to_all(ConstBytes mine, std::span<const size_t> sent, Bytes theirs,
                          std::span<const size_t> received) = 0;

  /// For a rank that cannot go on: whether all ranks call this within a few seconds, each for a
  /// failure of its own. Then none waits for another, and all may end as usual.
  virtual bool all_failed() = 0;

  /// Otherwise: ends all ranks, this one with that exit status.
  virtual void abort(int status) = 0;
};

/// The communicator of a process that has no others.
Communicator& one_rank();

/// How many processes mpirun, srun or the like started together with this one, it included, as they
/// say in the environment: 1 if there is nothing of that.
int started_ranks();

}  // namespace weft
