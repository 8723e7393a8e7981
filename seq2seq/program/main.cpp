// weft: trains sequence-to-sequence models, translates with them, scores translations, and shows
// what attention looks at.
#include <weft/seq2seq/program/program.h>

#ifdef WEFT_MPI
#include <weft/optim/distributed/mpi/mpi_communicator.h>

#include <optional>
#endif

int main(int argc, char** argv) {
  weft::Program program;
#ifdef WEFT_MPI
  std::optional<weft::MpiCommunicator> ranks;
  if (weft::started_ranks() > 1) program.distribute(ranks.emplace());
#endif
  return program.run(argc, argv);
}
