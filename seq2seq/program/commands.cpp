#include <fmt/core.h>
#include <unistd.h>
#include <weft/autograd/profiler.h>
#include <weft/core/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/metrics/bleu.h>
#include <weft/seq2seq/program/commands.h>
#include <weft/seq2seq/program/output.h>
#include <weft/seq2seq/program/train.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

#include <optional>

namespace weft {
namespace {

// What suits the toy task, where the user does not say otherwise.
void set_toy_defaults(ModelConfig& model, TrainConfig& train) {
  auto unless_given = [&](const char* option, auto& setting, auto value) {
    if (!train.given.contains(option)) setting = value;
  };
  unless_given("d-model", model.d_model, 64);
  unless_given("ffn", model.ffn, 128);
  unless_given("dropout", model.dropout, 0.0);
  unless_given("max-tokens", train.max_tokens, 512);
  unless_given("warmup", train.warmup, 800);
  unless_given("clip", train.clip, 1.0);
  unless_given("decay", train.decay, 2.0);
  if (train.steps == 0 && train.minutes == 0) unless_given("epochs", train.epochs, 4);
}

void check_sentence(const std::string& sentence) {
  if (const auto at = invalid_utf8(sentence)) {
    fail("show: expected UTF-8; got byte 0x{:02x} at byte {} of --sentence",
         static_cast<unsigned char>(sentence[*at]), *at + 1);
  }
}

}  // namespace

void train_command(TrainOptions o) {
  check(!o.train.task.empty(),
        "train: needs a corpus: --task toy, or --train-source, --train-target, "
        "--valid-source and --valid-target");
  if (o.train.task == "toy") set_toy_defaults(o.model, o.train);
  use_threads(o.threads);
  std::optional<weft::Profiler> profiler;
  if (o.profile) profiler.emplace();
  train(o.model, o.train);
  print(profiler ? profiler->table() + "\n" + profiler->table(Profiler::By::module) : "");
}

void score_command(const ScoreOptions& o) {
  const BleuOptions options{o.tokenize == "none" ? BleuTokenizer::kNone : BleuTokenizer::k13a,
                            o.lowercase};
  const ParallelText text = read_parallel(o.hypothesis, o.reference);
  print(bleu(text.source, text.target, options).to_string() + "\n");
}

void show_command(const ShowOptions& o) {
  check_sentence(o.sentence);
  const LoadedModel loaded = load_model(o.model_dir);
  if (is_too_long(*loaded.vocabulary, o.sentence))
    fmt::print(stderr, "weft: show: only the first {} ids of --sentence are translated\n",
               kLongestSource - 1);
  const AttentionPicture picture = show_translation(*loaded.model, *loaded.vocabulary, o.sentence);
  print(draw_for_terminal(picture, isatty(STDOUT_FILENO) != 0));
  if (!o.svg.empty()) write_file(o.svg, draw_svg(picture));
}

}  // namespace weft
