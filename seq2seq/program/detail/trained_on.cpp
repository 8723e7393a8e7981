#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/trained_on.h>
#include <weft/seq2seq/settings/named.h>

namespace weft {

RunConfig trained_by(const std::filesystem::path& directory) {
  RunConfig run;
  std::error_code ignored;  // what cannot be looked at cannot be read either
  if (std::filesystem::exists(directory / "run.toml", ignored)) run.go_on_from(directory);
  return run;
}

Corpus trained_on(const RunConfig& run, const Catalog& catalog) {
  const std::string& task = run.train.task;
  check(!task.empty(), "the model directory has no run.toml");
  if (task == "files") return read_corpus(run.train.files());
  return find_named(catalog.tasks, task, "task").corpus();
}

}  // namespace weft
