// What a task is to the rest: a name and a corpus. A new one that can be drawn at random is a file
// with two functions, a source and its answer, and a line in task.cpp.
#pragma once

#include <weft/core/random.h>
#include <weft/seq2seq/tasks/corpus.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weft {

struct Task {
  std::string name;                ///< on the command line and in files: "sort"
  std::string help;                ///< one line
  std::function<Corpus()> corpus;  ///< the same at every call
  /// The target of a source, where it is known.
  std::function<std::string(const std::string& source)> answer{};
  /// Exact matches, in per cent, from which a model has learned it (weft leaderboard).
  double bar = 99;
};

/// Those that `weft tasks` lists.
const std::vector<Task>& builtin_tasks();

/// How many pairs a corpus has.
struct CorpusSizes {
  int64_t train = 20000, valid = 500, test = 1000;
};

/// The recipe of a small model that gives targets exactly, cut into characters; `overrides` are
/// settings that differ.
Settings exact_recipe(const Settings& overrides);

/// A corpus of sources by `draw`, each once, and their targets by `answer`; its test is "held-out".
/// Throws if `draw` does not give as many different sources.
Corpus draw_corpus(const std::function<std::string(Generator&)>& draw,
                   const std::function<std::string(const std::string& source)>& answer,
                   Settings defaults, const CorpusSizes& sizes = {});

/// A task of such a corpus with exact_recipe(overrides).
Task drawn_task(std::string name, std::string help, std::function<std::string(Generator&)> draw,
                std::function<std::string(const std::string& source)> answer,
                const Settings& overrides, const CorpusSizes& sizes = {});

}  // namespace weft
