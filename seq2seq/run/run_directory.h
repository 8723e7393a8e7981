// The model directory of a training run: one process at a time trains in it, and an older model in
// it stays whole until the new run has one of its own.
#pragma once

#include <filesystem>

namespace weft {

/// The checkpoint in a model directory that scored best in validation.
inline constexpr const char* kBestCheckpoint = "best.safetensors";
/// That from which training goes on.
inline constexpr const char* kLastCheckpoint = "last.safetensors";
inline constexpr const char* kRunSettings = "run.toml";
inline constexpr const char* kMetrics = "metrics.jsonl";
/// What names of event files begin with (event_file.h).
inline constexpr const char* kEvents = "events.out.tfevents.";
inline constexpr const char* kSamples = "samples.jsonl";
inline constexpr const char* kSummary = "summary.json";
/// The folder, in a model directory, of a run that is to replace the model but has none yet.
inline constexpr const char* kNewRun = "new-run";

/// Whether a process writes a run's files, or another one does: of several ranks, the first.
enum class RunFiles { kOurs, kTheirs };

class RunDirectory {
 public:
  /// If the directory is there, locks it, removes what writers left that died, and finishes what a
  /// run that died had begun to put in the place of its model. Throws if another process (or
  /// another object) trains in it. The lock is a file of the directory, .lock; it ends with the
  /// process. With kTheirs nothing is written or checked, here and below, but by go_on().
  explicit RunDirectory(std::filesystem::path path, RunFiles files = RunFiles::kOurs);
  /// Removes what a new run wrote beside an old model, if it had no checkpoint yet.
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  /// Throws if there is a model, or a checkpoint of one.
  void require_free() const;
  /// Goes on with the run in new-run, if there is one, for it was begun last; else with that of the
  /// model. Throws unless it has a checkpoint.
  void go_on();

  /// Begins a new run: makes the directory if need be, and locks it. Beside a model the run writes
  /// into a folder of its own, new-run, until replace(); another run there is gone. Throws if there
  /// is a model and it is not to be replaced.
  void begin(bool replace_model);

  /// Where the run's files are for now.
  const std::filesystem::path& folder() const { return folder_; }

  /// Once the run in new-run has a best model, moves its files to the place of the old ones, best
  /// last. True if it did, and folder() is another.
  bool replace();

 private:
  bool theirs() const { return files_ == RunFiles::kTheirs; }
  bool has_model() const;
  void lock();
  void recover();
  void move_in(const std::filesystem::path& from) const;

  std::filesystem::path path_, folder_;
  RunFiles files_;
  int lock_ = -1;  // its descriptor
};

}  // namespace weft
