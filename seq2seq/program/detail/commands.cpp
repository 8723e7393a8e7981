#include <fmt/core.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

namespace weft {
namespace {

void check_sentence(const std::string& sentence) {
  if (const auto at = invalid_utf8(sentence)) {
    fail("show: expected UTF-8; got byte 0x{:02x} at byte {} of --sentence",
         static_cast<unsigned char>(sentence[*at]), *at + 1);
  }
}

RunConfig recipe_of(const Corpus& corpus) {
  RunConfig recipe;
  for (const auto& [name, value] : corpus.defaults) recipe.find(name).suggest(value);
  return recipe;
}

}  // namespace

void tasks_command(const Catalog& catalog) {
  std::string text =
      "files          your own: --data FILE, or --train-source FILE --train-target FILE\n";
  for (const Task& task : catalog.tasks) {
    const Corpus corpus = task.corpus();
    const TrainConfig recipe = recipe_of(corpus).train;
    text += fmt::format("{:<14} {}\n{:15}{} -> {}\n{:15}tokens {}, metric {}\n", task.name,
                        task.help, "", corpus.valid.text.source[0], corpus.valid.text.target[0], "",
                        recipe.tokens.value(), recipe.metric.value());
  }
  print(text);
}

void show_command(const ShowOptions& o, const Catalog& catalog) {
  check_sentence(o.sentence);
  const LoadedModel loaded = load_model(o.model_dir.value(), catalog.models);
  for (const std::string& warning : warnings(*loaded.vocabulary, o.sentence))
    warn("weft: show: --sentence: " + warning);
  const AttentionPicture picture = show_translation(*loaded.model, *loaded.vocabulary, o.sentence);
  print(draw_for_terminal(picture, isatty(STDOUT_FILENO) != 0));
  if (!o.svg.value().empty()) write_file(o.svg.value(), draw_svg(picture));
}

}  // namespace weft
