// `weft run`: as soon as no line is waiting, or enough of them are, those that came are translated
// and printed.
#include <fmt/core.h>
#include <unistd.h>
#include <weft/core/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/program/commands.h>
#include <weft/seq2seq/program/output.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/utf8.h>

namespace weft {
namespace {

// Lines of like length can go into one batch, if there are enough to choose from.
constexpr size_t kLinesAtOnce = 1024;
// Stands where a line has no translation.
constexpr const char* kNoTranslation = "\ufffd";

// Lines from the input, with what the user should know of them on standard error.
class Input {
 public:
  explicit Input(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // The lines that wait, at least one unless the input has ended. Those that are not UTF-8 are
  // empty, and in `invalid`.
  std::vector<std::string> next(std::vector<bool>& invalid) {
    std::vector<std::string> lines;
    invalid.clear();
    while (lines.size() < kLinesAtOnce && (lines.empty() || reader_.ready())) {
      std::optional<std::string> line = reader_.next();
      if (!line) break;
      ++number_;
      invalid.push_back(!is_valid(*line));
      lines.push_back(invalid.back() ? "" : std::move(*line));
    }
    return lines;
  }

  int64_t lines() const { return number_; }
  int64_t invalid_lines() const { return invalid_lines_; }

 private:
  bool is_valid(const std::string& line) {
    if (const auto at = invalid_utf8(line)) {
      fmt::print(stderr, "weft: run: line {}: expected UTF-8; got byte 0x{:02x} at byte {}\n",
                 number_, static_cast<unsigned char>(line[*at]), *at + 1);
      ++invalid_lines_;
      return false;
    }
    if (is_too_long(vocabulary_, line))
      fmt::print(stderr, "weft: run: line {}: only its first {} ids are translated\n", number_,
                 kLongestSource - 1);
    return true;
  }

  const Vocabulary& vocabulary_;
  LineReader reader_{STDIN_FILENO, "standard input"};
  int64_t number_ = 0, invalid_lines_ = 0;
};

}  // namespace

void run_command(const RunOptions& o) {
  set_num_threads(static_cast<int>(o.threads));
  const LoadedModel loaded = load_model(o.model_dir.value());
  Input input(*loaded.vocabulary);
  std::vector<bool> invalid;
  for (std::vector<std::string> lines = input.next(invalid); !lines.empty();
       lines = input.next(invalid)) {
    const std::vector<std::string> translations =
        translate_all(*loaded.model, *loaded.vocabulary, lines, {o.beam, o.length_penalty});
    std::string text;
    for (size_t i = 0; i < lines.size(); ++i)
      text.append(invalid[i] ? kNoTranslation : translations[i]).append("\n");
    print(text);
  }
  check(input.invalid_lines() == 0, "run: not UTF-8, so not translated: {} of {} lines",
        input.invalid_lines(), input.lines());
}

}  // namespace weft
