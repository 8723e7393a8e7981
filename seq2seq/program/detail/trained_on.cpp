#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/trained_on.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/text/text_file.h>

namespace weft {

RunConfig trained_by(const std::filesystem::path& directory) {
  RunConfig run;
  const std::filesystem::path file = directory / kRunSettings;
  if (!is_there(file)) return run;
  run.go_on_from(directory);
  if (!is_from_torch(directory))
    check_same_run(file.string(), run.model.run, "config.json", load_config(directory).run);
  return run;
}

Corpus trained_on(const RunConfig& run, const Catalog& catalog) {
  const std::string& task = run.train.task;
  check(!task.empty(), "the model directory has no run.toml");
  if (task == "files") return read_corpus(run.train.files());
  return find_named(catalog.tasks, task, "task").corpus();
}

}  // namespace weft
