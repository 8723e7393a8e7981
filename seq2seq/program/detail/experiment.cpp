// `weft lab --experiment`: a question about attention, asked of a trained model or of small ones
// that are made for it.
#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/program/detail/sharing.h>
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

// A model of a directory and what it was trained on.
class Trained {
 public:
  Trained(const std::string& directory, const Catalog& catalog, const Ranks& ranks)
      : loaded_(load_model(directory, catalog.models)),
        corpus_(trained_on(trained_by(directory), catalog)),
        measures_(catalog.measures),
        share_(share_among(ranks)) {}

  Subject subject() const {
    return {*loaded_.model, *loaded_.vocabulary, corpus_.valid, measures_, share_};
  }

 private:
  LoadedModel loaded_;
  Corpus corpus_;
  std::span<const Measure> measures_;
  ShareOut share_;
};

}  // namespace

void experiment_command(const LabOptions& o, const Catalog& catalog, const Ranks& ranks) {
  const Experiment& experiment = find_named(catalog.experiments, o.experiment, "experiment");
  check_options(o, experiment);
  if (!uses(experiment, "model-dir") && !ranks.first()) return;
  ExperimentInput input;
  input.seed = o.seed;
  if (o.over.given()) input.over = o.over;
  std::optional<Trained> model, reverse;
  if (uses(experiment, "model-dir"))
    input.subject.emplace(model.emplace(o.model_dir.value(), catalog, ranks).subject());
  if (o.reverse_model_dir.given())
    input.reverse.emplace(reverse.emplace(o.reverse_model_dir.value(), catalog, ranks).subject());
  const ExperimentResult result = experiment.run(input);
  if (!ranks.first()) return;
  if (o.out.given()) write_file(o.out.value(), draw_plot(result.plot));
  print(to_text(result));
}

}  // namespace weft
