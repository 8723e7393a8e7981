// translate run: standard input to standard output, a translation for each line.
#include <examples/translate/commands.h>
#include <examples/translate/text_file.h>
#include <examples/translate/translator.h>
#include <weft/core/error.h>
#include <weft/core/parallel.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

namespace translate {
namespace {

struct RunOptions {
  std::string model_dir;
  SearchOptions search;
  int threads = 0;
};

void run(const RunOptions& o) {
  if (o.threads > 0) weft::set_num_threads(o.threads);
  const LoadedModel loaded = load_model(o.model_dir);
  const std::vector<std::string> lines = read_lines(std::cin, "standard input");
  for (const std::string& line : translate_all(*loaded.model, *loaded.vocabulary, lines, o.search))
    std::cout << line << '\n';
  if (!std::cout.flush()) throw weft::Error("run: standard output cannot be written");
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Translate standard input, line by line");
  add_model_dir(*command, o->model_dir);
  command->add_option("--beam", o->search.beam, "Beginnings kept at every step; 1 is greedy search")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command
      ->add_option("--length-penalty", o->search.length_penalty,
                   "0 favours short translations, more favours long")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  add_threads(*command, o->threads);
  command->callback([o] { run(*o); });
}

}  // namespace translate
