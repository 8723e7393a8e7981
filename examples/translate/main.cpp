// translate: trains a cross-attention encoder-decoder on parallel text, translates with it, scores
// translations, and shows what its attention looks at.
#include <examples/translate/commands.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  CLI::App app{"Train a sequence-to-sequence model and translate with it.", "translate"};
  app.require_subcommand(1);
  // Scripts give a recipe and pass the user's options on behind it.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.failure_message([](const CLI::App* failed, const CLI::Error& e) {
    return "translate: " + std::string(e.what()) + "; see " + failed->get_name() + " --help\n";
  });
  translate::add_train(app);
  translate::add_run(app);
  translate::add_score(app);
  translate::add_show(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "translate: %s\n", e.what());
    return 1;
  }
  return 0;
}
