#include <weft/optim/distributed/communicator.h>

#include <algorithm>
#include <cstdlib>

namespace weft {
namespace {

class OneRank : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void broadcast(Bytes) override {}
  void all_gather(ConstBytes mine, Bytes all, std::span<const size_t>) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }
  void all_to_all(ConstBytes mine, std::span<const size_t>, Bytes theirs,
                  std::span<const size_t>) override {
    std::copy(mine.begin(), mine.end(), theirs.begin());
  }
  bool all_failed() override { return true; }
  void abort(int status) override { std::_Exit(status); }
};

}  // namespace

Communicator& one_rank() {
  static OneRank communicator;
  return communicator;
}

// Open MPI; MPICH, Intel MPI and srun for them; srun for any.
int started_ranks() {
  for (const char* size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"})
    if (const char* value = std::getenv(size)) return std::max(1, std::atoi(value));
  return 1;
}

}  // namespace weft
