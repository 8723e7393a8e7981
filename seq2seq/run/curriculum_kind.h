// What a curriculum is to the program: a name and how to make one. It decides which training pairs
// the model sees when, and thereby how often. A new one is a line in curriculum_kind.cpp; one of
// your own, a call of Program::add_curriculum().
#pragma once

#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/text/batching.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weft {

/// Which training pairs a pass goes over that begins after `step` updates: their places, in any
/// order, each as often as it is to be seen in the pass. Batches are made of these as of a whole
/// corpus. It is asked again where a run goes on in the midst of a pass, and on every rank: the
/// same call must give the same places. An empty function: all pairs, each once.
using Curriculum = std::function<std::vector<int64_t>(std::span<const Pair> pairs, int64_t step)>;

struct CurriculumKind {
  std::string name;  ///< on the command line and in files: "short-first"
  std::string help;  ///< one line
  /// Throws an error that names the settings that do not suit it.
  std::function<Curriculum(const TrainConfig&)> make;
  Settings defaults{};  ///< that suit it, and override those of task, model and optimizer
};

/// "none", "short-first".
const std::vector<CurriculumKind>& builtin_curricula();

/// The shortest pairs first, by the longer side, and at `steps` updates all: of n pairs the
/// c(t) n shortest, at least one, with the competence
///   c(t) = min(1, sqrt(t / steps * (1 - c0^2) + c0^2)),  c0 = 0.01
/// of Platanios et al. ("Competence-based curriculum learning for neural machine translation",
/// 2019). `steps` must be positive.
Curriculum short_first(int64_t steps);

}  // namespace weft
