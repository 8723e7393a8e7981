// translate show: what the cross-attention looks at while a sentence is translated.
#include <examples/translate/commands.h>
#include <examples/translate/text_file.h>
#include <examples/translate/translator.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace translate {
namespace {

struct ShowOptions {
  std::string model_dir, sentence, svg;
};

void show(const ShowOptions& o) {
  const LoadedModel loaded = load_model(o.model_dir);
  const AttentionPicture picture = show_translation(*loaded.model, *loaded.vocabulary, o.sentence);
  std::fputs(draw_for_terminal(picture, isatty(STDOUT_FILENO) != 0).c_str(), stdout);
  flush_output();
  if (!o.svg.empty()) write_file(o.svg, draw_svg(picture));
}

}  // namespace

void add_show(CLI::App& app) {
  auto o = std::make_shared<ShowOptions>();
  CLI::App* command =
      app.add_subcommand("show", "Show the cross-attention of a sentence, by layer and head");
  add_model_dir(*command, o->model_dir);
  command->add_option("--sentence", o->sentence, "What to translate")->required();
  command->add_option("--svg", o->svg, "Also write the picture to this file");
  command->callback([o] { show(*o); });
}

}  // namespace translate
