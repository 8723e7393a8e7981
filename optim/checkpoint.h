// Checkpoints: all that a training run needs to go on, in one safetensors file that is replaced
// whole or not at all, and whose checksums tell whether it still is. A run that is stopped and
// resumed computes the same bits as one that never stopped.
#pragma once

#include <weft/nn/module.h>
#include <weft/optim/averaging.h>
#include <weft/optim/schedules.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weft {

class LocalSgd;

/// The objects of a run. Those left out are not saved; in loading, what the file has of them is
/// passed over.
struct TrainingRun {
  Module& model;
  Optimizer* optimizer = nullptr;
  Schedule* schedule = nullptr;
  std::map<std::string, Generator> generators = {};  ///< by name: of dropout, of the data
  WeightAverage* average = nullptr;
  /// To save in place of the optimizer's own: the whole state of one that is sharded
  /// (distributed/sharded_optimizer.h), or of ranks that train alone (`local`).
  std::optional<NamedTensors> optimizer_state = {};
  /// Where ranks train alone (distributed/local_sgd.h), each takes its optimizer's state from that
  /// of all, and goes on from the parameters.
  LocalSgd* local = nullptr;
};

/// Writes `run` and `progress`: where the run is (step, position in the data, best score ...), in
/// the words of the caller. The tensors are called `model.<name>`, `optimizer.<name>` and
/// `average.<name>`.
void save_checkpoint(const std::string& path, const TrainingRun& run,
                     const Metadata& progress = {});

/// Puts a run that was built like the saved one in its state, and returns its progress. The whole
/// file is checked against `run` before anything changes: an Error names the file and what differs.
Metadata load_checkpoint(const std::string& path, const TrainingRun& run);
/// The same from a file that was read.
Metadata load_checkpoint(const SafetensorsFile& file, const TrainingRun& run);
/// Its progress alone. An Error if the file is no checkpoint, or lost its checksums; one that weft
/// wrote before there were any has none (SafetensorsFile::has_checksums).
Metadata progress_of(const SafetensorsFile& file);

/// The whole number under `key`; Error if there is none.
int64_t integer_at(const Metadata& progress, const std::string& key);

}  // namespace weft
