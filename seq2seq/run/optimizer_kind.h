// What a kind of optimizer is to the program: a name and how to make one. A new one is its file in
// optim/ and a line in optimizer_kind.cpp; one of your own, a call of Program::add_optimizer().
#pragma once

#include <weft/optim/optimizer.h>
#include <weft/seq2seq/run/config.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft {

/// An optimizer of these parameters, with the rate of the settings and what else concerns it.
using MakeOptimizer =
    std::function<std::unique_ptr<Optimizer>(const NamedTensors&, const TrainConfig&)>;

struct OptimizerKind {
  std::string name;  ///< on the command line and in files: "adam"
  std::string help;  ///< one line
  MakeOptimizer make;
  Settings defaults{};  ///< that suit it, and override those of task and model
};

/// "adam", "adamw", "sgd", "lion", "adafactor", "muon".
const std::vector<OptimizerKind>& builtin_optimizers();

}  // namespace weft
