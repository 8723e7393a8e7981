#include <fmt/core.h>
#include <unistd.h>
#include <weft/core/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/metrics/bleu.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/seq2seq/training/saved_model.h>

namespace weft {
namespace {

void check_sentence(const std::string& sentence) {
  if (const auto at = invalid_utf8(sentence)) {
    fail("show: expected UTF-8; got byte 0x{:02x} at byte {} of --sentence",
         static_cast<unsigned char>(sentence[*at]), *at + 1);
  }
}

}  // namespace

void tasks_command(const Catalog& catalog) {
  std::string text =
      "files      your own: --train-source and --train-target, --valid-source and "
      "--valid-target\n";
  for (const Task& task : catalog.tasks) {
    const ParallelText valid = task.corpus().valid.text;
    text += fmt::format("{:<10} {}\n           {} -> {}\n", task.name, task.help, valid.source[0],
                        valid.target[0]);
  }
  print(text);
}

void score_command(const ScoreOptions& o) {
  const BleuOptions options{
      o.tokenize.value() == "none" ? BleuTokenizer::kNone : BleuTokenizer::k13a, o.lowercase};
  const ParallelText text = read_parallel(o.hypothesis.value(), o.reference.value());
  print(bleu(text.source, text.target, options).to_string() + "\n");
}

void show_command(const ShowOptions& o, const Catalog& catalog) {
  check_sentence(o.sentence);
  const LoadedModel loaded = load_model(o.model_dir.value(), catalog.models);
  if (is_too_long(*loaded.vocabulary, o.sentence))
    fmt::print(stderr, "weft: show: only the first {} ids of --sentence are translated\n",
               kLongestSource - 1);
  const AttentionPicture picture = show_translation(*loaded.model, *loaded.vocabulary, o.sentence);
  print(draw_for_terminal(picture, isatty(STDOUT_FILENO) != 0));
  if (!o.svg.value().empty()) write_file(o.svg.value(), draw_svg(picture));
}

}  // namespace weft
