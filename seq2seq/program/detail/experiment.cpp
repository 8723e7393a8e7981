// `weft lab --experiment`: a question about attention, asked of a trained model or of small ones
// that are made for it.
#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/program/detail/trained_on.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>

namespace weft {
namespace {

bool uses(const Experiment& experiment, const std::string& option) {
  return std::count(experiment.uses.begin(), experiment.uses.end(), option) > 0;
}

void check_options(const LabOptions& o, const Experiment& experiment) {
  std::vector<std::string> all{"experiment", "out", "threads"};
  all.insert(all.end(), experiment.uses.begin(), experiment.uses.end());
  for (const AnySetting* setting : o.settings()) {
    const std::string& name = setting->info().name;
    check(!setting->given() || std::count(all.begin(), all.end(), name) > 0,
          "lab: --experiment {} has no --{}; it has --{}", experiment.name, name,
          fmt::join(all.begin() + 1, all.end(), ", --"));
  }
  check(!uses(experiment, "model-dir") || o.model_dir.given(),
        "lab: --experiment {} needs --model-dir, of a trained model", experiment.name);
}

}  // namespace

void experiment_command(const LabOptions& o, const Catalog& catalog) {
  const Experiment& experiment = find_named(catalog.experiments, o.experiment, "experiment");
  check_options(o, experiment);
  ExperimentInput input;
  input.seed = o.seed;
  if (o.over.given()) input.over = o.over;
  LoadedModel loaded;
  Corpus corpus;
  if (uses(experiment, "model-dir")) {
    loaded = load_model(o.model_dir.value(), catalog.models);
    corpus = trained_on(trained_by(o.model_dir.value()), catalog);
    input.subject.emplace(
        Subject{*loaded.model, *loaded.vocabulary, corpus.valid, catalog.measures});
  }
  const ExperimentResult result = experiment.run(input);
  if (o.out.given()) write_file(o.out.value(), draw_plot(result.plot));
  print(to_text(result));
}

}  // namespace weft
