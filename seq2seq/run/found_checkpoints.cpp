#include <weft/core/detail/check.h>
#include <weft/optim/checkpoint.h>
#include <weft/seq2seq/run/found_checkpoints.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/run/run_state.h>
#include <weft/seq2seq/text/seal.h>

#include <utility>

namespace weft {
namespace {

struct Found {
  SafetensorsFile file;
  Metadata progress;
  int64_t step;
};

Found read(const std::string& path, const std::string& run) {
  SafetensorsFile file = load_safetensors(path);
  Metadata progress = progress_of(file);
  check(file.has_checksums,
        "{} is from before weft wrote checksums: such a run cannot go on, but --init-from begins a "
        "new one with its weights",
        path);
  check_same_run(path, run_of(progress), "config.json", run);
  if (path.ends_with(kBestCheckpoint)) check_is_best(progress, path);
  const int64_t step = integer_at(progress, "step");
  return {std::move(file), std::move(progress), step};
}

}  // namespace

FoundCheckpoints find_checkpoints(const std::filesystem::path& dir, const std::string& run) {
  std::optional<Found> last, best;
  std::vector<std::string> faults;
  for (const auto& [name, found] : {std::pair{kLastCheckpoint, &last}, {kBestCheckpoint, &best}}) {
    if (!std::filesystem::exists(dir / name)) continue;
    try {
      *found = read((dir / name).string(), run);
    } catch (const Error& e) {
      faults.emplace_back(e.what());
    }
  }
  check(last || best, "train: nothing to go on from: {}",
        faults.empty() ? "no checkpoint in " + dir.string() : faults[0]);
  std::optional<Metadata> of_best;
  if (best) of_best = best->progress;
  const bool from_last = last && (!best || last->step >= best->step);
  return {std::move(from_last ? last->file : best->file), std::move(of_best), std::move(faults)};
}

}  // namespace weft
