// The command line of `weft` as a class: a program of one's own is that of weft with one's own
// tasks, models, optimizers, schedules, curricula, metrics, measures and experiments in it.
//
//   int main(int argc, char** argv) {
//     weft::Program program;
//     program.add_model({"talking_heads", "heads that talk to each other", make_my_model});
//     return program.run(argc, argv);  // my_program train --model talking_heads ...
//   }
#pragma once

#include <weft/optim/distributed/communicator.h>
#include <weft/seq2seq/run/catalog.h>

#include <exception>

namespace weft {

class Program {
 public:
  /// Each throws if something of its sort has that name already.
  void add_task(Task task);
  void add_model(ModelKind model);
  void add_optimizer(OptimizerKind optimizer);
  void add_schedule(ScheduleKind schedule);
  void add_curriculum(CurriculumKind curriculum);
  void add_metric(Metric metric);
  void add_measure(Measure measure);
  void add_experiment(Experiment experiment);

  /// Trains, translates and looks at sentences (lab) on all ranks of the communicator, which must
  /// outlive the program; rank 0 alone writes, prints and does what else there is. Every rank runs
  /// the same program:
  ///
  ///   std::optional<MpiCommunicator> ranks;  // weft::mpi; mpirun -n 4 my_program train ...
  ///   if (started_ranks() > 1) program.distribute(ranks.emplace());
  void distribute(Communicator& communicator) { communicator_ = &communicator; }

  /// Does what the command line says. Returns the exit status; errors go to standard error, and end
  /// all ranks.
  int run(int argc, char** argv) const;

 private:
  int run_unchecked(int argc, char** argv) const;

  int failed(const std::exception& e) const;

  Catalog catalog_;
  Communicator* communicator_ = &one_rank();
};

}  // namespace weft
