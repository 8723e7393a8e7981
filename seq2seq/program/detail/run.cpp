// `weft run`: as soon as no line is waiting, or enough of them are, those that came are translated
// and printed.
#include <fmt/format.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <iterator>

namespace weft {
namespace {

// Lines of like length can go into one batch, if there are enough to choose from.
constexpr size_t kLinesAtOnce = 1024, kBytesAtOnce = size_t{1} << 22;
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
    size_t bytes = 0;
    invalid.clear();
    while (lines.size() < kLinesAtOnce && bytes < kBytesAtOnce &&
           (lines.empty() || reader_.ready())) {
      std::optional<std::string> line = reader_.next();
      if (!line) break;
      bytes += line->size();
      invalid.push_back(!is_valid(*line));
      lines.push_back(invalid.back() ? "" : std::move(*line));
    }
    return lines;
  }

  int64_t lines() const { return reader_.count(); }
  int64_t invalid_lines() const { return invalid_lines_; }

 private:
  bool is_valid(const std::string& line) {
    if (const auto at = invalid_utf8(line)) {
      warn(fmt::format("weft: run: line {}: expected UTF-8; got byte 0x{:02x} at byte {}", lines(),
                       static_cast<unsigned char>(line[*at]), *at + 1));
      ++invalid_lines_;
      return false;
    }
    for (const std::string& warning : warnings(vocabulary_, line))
      warn(fmt::format("weft: run: line {}: {}", lines(), warning));
    return true;
  }

  const Vocabulary& vocabulary_;
  LineReader reader_{STDIN_FILENO, "standard input"};
  int64_t invalid_lines_ = 0;
};

// What is printed for a line: nothing was found for one that is empty, or not UTF-8.
void add_best(const std::vector<Translation>& found, bool invalid, std::string& out) {
  out.append(invalid ? kNoTranslation : found.empty() ? "" : found[0].text).append("\n");
}
void add_n_best(int64_t line, int64_t n, const std::vector<Translation>& found, bool invalid,
                std::string& out) {
  if (found.empty()) fmt::format_to(std::back_inserter(out), "{}\t\t\t", line);
  if (found.empty()) return add_best(found, invalid, out);
  for (int64_t i = 0; i < std::min(n, std::ssize(found)); ++i) {
    const Translation& t = found[static_cast<size_t>(i)];
    fmt::format_to(std::back_inserter(out), "{}\t{:.6g}\t{:.6g}\t{}\n", line, t.score, t.log_prob,
                   t.text);
  }
}

void check_absent(std::initializer_list<const AnySetting*> settings, const char* why) {
  for (const AnySetting* s : settings)
    check(!s->given(), "run: --{} {}; got --{} {}", s->info().name, why, s->info().name, s->text());
}

// How the options say to decode.
std::unique_ptr<Strategy> decoding_strategy(const RunOptions& o) {
  if (o.sample) {
    check_absent({&o.beam, &o.length_penalty}, "is of beam search, which --sample replaces");
    SamplingOptions sampling{.temperature = o.temperature,
                             .seed = static_cast<uint64_t>(o.seed.value()),
                             .samples = std::max<int64_t>(1, o.n_best)};
    if (o.top_k > 0) sampling.top_k = o.top_k;
    return std::make_unique<Sampling>(sampling);
  }
  check_absent({&o.temperature, &o.top_k, &o.seed}, "needs --sample");
  check(!o.beam.given() || o.n_best <= o.beam,
        "run: --n-best must be at most --beam; got {} and {}", o.n_best.value(), o.beam.value());
  return std::make_unique<BeamSearch>(
      BeamOptions{std::max<int64_t>(o.beam, o.n_best), o.length_penalty});
}

}  // namespace

void run_command(const RunOptions& o, const Catalog& catalog) {
  const std::unique_ptr<Strategy> strategy = decoding_strategy(o);
  set_num_threads(static_cast<int>(o.threads));
  const LoadedModel loaded = load_model(o.model_dir.value(), catalog.models);
  Input input(*loaded.vocabulary);
  std::vector<bool> invalid;
  int64_t line = 1;
  for (std::vector<std::string> lines = input.next(invalid); !lines.empty();
       lines = input.next(invalid)) {
    const auto found = translations(*loaded.model, *loaded.vocabulary, lines, *strategy, line);
    std::string text;
    for (size_t i = 0; i < lines.size(); ++i, ++line) {
      if (o.n_best == 0)
        add_best(found[i], invalid[i], text);
      else
        add_n_best(line, o.n_best, found[i], invalid[i], text);
    }
    print(text);
  }
  check(input.invalid_lines() == 0, "run: not UTF-8, so not translated: {} of {} lines",
        input.invalid_lines(), input.lines());
}

}  // namespace weft
