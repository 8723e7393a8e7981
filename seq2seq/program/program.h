// The command line of `weft` as a class: a program of one's own is that of weft with one's own
// tasks, models, optimizers, metrics, measures and experiments in it.
//
//   int main(int argc, char** argv) {
//     weft::Program program;
//     program.add_model({"talking_heads", "heads that talk to each other", make_my_model});
//     return program.run(argc, argv);  // my_program train --model talking_heads ...
//   }
#pragma once

#include <weft/seq2seq/run/catalog.h>

namespace weft {

class Program {
 public:
  /// Each throws if something of its sort has that name already.
  void add_task(Task task);
  void add_model(ModelKind model);
  void add_optimizer(OptimizerKind optimizer);
  void add_metric(Metric metric);
  void add_measure(Measure measure);
  void add_experiment(Experiment experiment);

  /// Does what the command line says. Returns the exit status; errors go to standard error.
  int run(int argc, char** argv) const;

 private:
  int run_unchecked(int argc, char** argv) const;

  Catalog catalog_;
};

}  // namespace weft
