// translate score: BLEU of a file of translations.
#include <examples/translate/bleu.h>
#include <examples/translate/commands.h>
#include <examples/translate/text_file.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace translate {
namespace {

struct ScoreOptions {
  std::string hypothesis, reference, tokenize = "13a";
  bool lowercase = false;
};

void score(const ScoreOptions& o) {
  const BleuOptions options{o.tokenize == "none" ? BleuTokenizer::kNone : BleuTokenizer::k13a,
                            o.lowercase};
  const ParallelText text = read_parallel(o.hypothesis, o.reference);
  std::puts(bleu(text.source, text.target, options).to_string().c_str());
  flush_output();
}

}  // namespace

void add_score(CLI::App& app) {
  auto o = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand("score", "Score translations by BLEU, as sacreBLEU does");
  command->add_option("--hypothesis", o->hypothesis, "File of translations, one a line")
      ->required();
  command->add_option("--reference", o->reference, "File of references, one a line")->required();
  command->add_option("--tokenize", o->tokenize, "13a for plain text, none for tokenized text")
      ->check(CLI::IsMember({"13a", "none"}))
      ->capture_default_str();
  command->add_flag("--lowercase", o->lowercase, "Ignore case");
  command->callback([o] { score(*o); });
}

}  // namespace translate
