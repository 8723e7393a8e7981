// `weft run`: as soon as no line is waiting, or enough of them are, those that came are translated
// and printed.
#include <fmt/ranges.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/optim/distributed/parts.h>
#include <weft/seq2seq/decoding/forced_prefix.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/models/ensemble.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/ranks.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <sstream>

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

  // The lines that wait, at least one unless the input has ended.
  std::vector<std::string> next() {
    std::vector<std::string> lines;
    size_t bytes = 0;
    while (lines.size() < kLinesAtOnce && bytes < kBytesAtOnce &&
           (lines.empty() || reader_.ready())) {
      std::optional<std::string> line = reader_.next();
      if (!line) break;
      bytes += line->size();
      check_line(*line);
      lines.push_back(std::move(*line));
    }
    return lines;
  }

  int64_t invalid_lines() const { return invalid_lines_; }

 private:
  void check_line(const std::string& line) {
    if (const auto at = invalid_utf8(line)) {
      warn(fmt::format("weft: run: line {}: expected UTF-8; got byte 0x{:02x} at byte {}",
                       reader_.count(), static_cast<unsigned char>(line[*at]), *at + 1));
      ++invalid_lines_;
      return;
    }
    for (const std::string& warning : warnings(vocabulary_, line))
      warn(fmt::format("weft: run: line {}: {}", reader_.count(), warning));
  }

  const Vocabulary& vocabulary_;
  LineReader reader_{STDIN_FILENO, "standard input"};
  int64_t invalid_lines_ = 0;
};

// What is printed for a line: nothing was found for one that is empty, or not UTF-8.
void add_text(const std::string& text, const std::vector<Link>& links, const RunOptions& o,
              std::string& out) {
  out += text;
  if (o.alignments) out.append("\t").append(to_pharaoh(links));
  out += '\n';
}
void add_best(const std::vector<Translation>& found, bool invalid, const RunOptions& o,
              std::string& out) {
  if (found.empty()) return add_text(invalid ? kNoTranslation : "", {}, o, out);
  add_text(found[0].text, found[0].links, o, out);
}
void add_n_best(int64_t line, const std::vector<Translation>& found, bool invalid,
                const RunOptions& o, std::string& out) {
  if (found.empty()) fmt::format_to(std::back_inserter(out), "{}\t\t\t", line);
  if (found.empty()) return add_best(found, invalid, o, out);
  for (int64_t i = 0; i < std::min(o.n_best.value(), std::ssize(found)); ++i) {
    const Translation& t = found[static_cast<size_t>(i)];
    fmt::format_to(std::back_inserter(out), "{}\t{:.6g}\t{:.6g}\t", line, t.score, t.log_prob);
    add_text(t.text, t.links, o, out);
  }
}

// The beginnings of translations that stand behind a tab, by the numbers of their lines, which lose
// them.
std::map<int64_t, Ids> take_prefixes(const Vocabulary& vocabulary, int64_t number,
                                     std::vector<std::string>& lines) {
  std::map<int64_t, Ids> prefixes;
  for (std::string& line : lines) {
    const size_t tab = line.find('\t');
    if (tab != std::string::npos) {
      prefixes[number] = vocabulary.encode(line.substr(tab + 1));
      line.resize(tab);
    }
    ++number;
  }
  return prefixes;
}

// What is printed for each of these lines, the first of which has that number.
std::vector<std::string> translated(const LoadedModel& model, std::span<const std::string> lines,
                                    const Strategy& strategy, const RunOptions& o, int64_t number) {
  std::vector<std::string> valid(lines.begin(), lines.end()), texts;
  for (std::string& line : valid)
    if (invalid_utf8(line)) line.clear();
  std::map<int64_t, Ids> prefixes;
  if (o.prefixes) prefixes = take_prefixes(*model.vocabulary, number, valid);
  const ForcedPrefix forced(strategy, std::move(prefixes));
  for (const auto& found : translations(*model.model, *model.vocabulary, valid, forced,
                                        {number, o.coverage_penalty, o.alignments})) {
    const size_t i = texts.size();
    const bool invalid = invalid_utf8(lines[i]).has_value();
    std::string& text = texts.emplace_back();
    if (o.n_best == 0)
      add_best(found, invalid, o, text);
    else
      add_n_best(number + static_cast<int64_t>(i), found, invalid, o, text);
  }
  return texts;
}

// What rank 0 read, on every rank.
std::vector<std::string> of_first(const Ranks& ranks, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  std::istringstream all(ranks.of_first(text));
  std::vector<std::string> read;
  for (std::string line; std::getline(all, line);) read.push_back(line);
  return read;
}

// The numbers of n lines in groups, one for each rank as far as they go.
std::vector<Batch> neighbours(int64_t n, int ranks) {
  std::vector<Batch> groups;
  for (int rank = 0; rank < std::min<int64_t>(n, ranks); ++rank) {
    const PartRange range = parts_of_rank(n, rank, ranks);
    Batch& group = groups.emplace_back(static_cast<size_t>(range.end - range.begin));
    std::iota(group.begin(), group.end(), range.begin);
  }
  return groups;
}

void check_absent(std::initializer_list<const AnySetting*> settings, const char* why) {
  for (const AnySetting* s : settings)
    check(!s->given(), "run: --{} {}; got --{} {}", s->info().name, why, s->info().name, s->text());
}

// How the options say to decode.
std::unique_ptr<Strategy> decoding_strategy(const RunOptions& o) {
  if (o.sample) {
    check_absent({&o.beam, &o.length_penalty, &o.coverage_penalty},
                 "is of beam search, which --sample replaces");
    SamplingOptions sampling{.temperature = o.temperature,
                             .seed = static_cast<uint64_t>(o.seed.value()),
                             .samples = std::max<int64_t>(1, o.n_best)};
    if (o.top_k > 0) sampling.top_k = o.top_k;
    if (o.top_p < 1) sampling.top_p = o.top_p;
    return std::make_unique<Sampling>(sampling);
  }
  check_absent({&o.temperature, &o.top_k, &o.top_p, &o.seed}, "needs --sample");
  check(!o.beam.given() || o.n_best <= o.beam,
        "run: --n-best must be at most --beam; got {} and {}", o.n_best.value(), o.beam.value());
  // To rank by coverage takes all that the beam finds.
  const int64_t wanted = o.coverage_penalty != 0 ? 0 : std::max<int64_t>(1, o.n_best);
  return std::make_unique<BeamSearch>(
      BeamOptions{std::max<int64_t>(o.beam, o.n_best), o.length_penalty, wanted});
}

bool same_vocabulary(const Vocabulary& a, const Vocabulary& b) {
  if (a.tokens() != b.tokens() || a.size() != b.size()) return false;
  int64_t id = 0;
  while (id < a.size() && a.piece(id) == b.piece(id)) ++id;
  return id == a.size();
}

// The model of --model-dir, and with it those of --ensemble.
LoadedModel load_models(const RunOptions& o, const Catalog& catalog) {
  LoadedModel first = load_model(o.model_dir.value(), catalog.models);
  if (o.ensemble.value().empty()) return first;
  std::vector<std::unique_ptr<Seq2SeqModel>> members;
  members.push_back(std::move(first.model));
  std::istringstream list(o.ensemble.value());
  for (std::string dir; std::getline(list, dir, ',');) {
    LoadedModel next = load_model(dir, catalog.models);
    check(same_vocabulary(*first.vocabulary, *next.vocabulary),
          "run: models of an ensemble must have one vocabulary; got another in {} than in {}", dir,
          o.model_dir.value());
    members.push_back(std::move(next.model));
  }
  first.model = std::make_unique<Ensemble>(std::move(members));
  return first;
}

}  // namespace

void run_command(const RunOptions& o, const Catalog& catalog, Communicator& communicator) {
  const std::unique_ptr<Strategy> strategy = decoding_strategy(o);
  set_num_threads(static_cast<int>(o.threads));
  const LoadedModel loaded = load_models(o, catalog);
  const Ranks ranks(communicator);
  Input input(*loaded.vocabulary);
  const auto next = [&] {
    return of_first(ranks, ranks.first() ? input.next() : std::vector<std::string>());
  };
  int64_t number = 1;
  for (std::vector<std::string> lines = next(); !lines.empty(); lines = next()) {
    const auto groups = neighbours(std::ssize(lines), communicator.size());
    const std::vector<std::string> found = ranks.map(groups, [&](const Batch& group) {
      const auto from = static_cast<size_t>(group[0]);
      return translated(loaded, std::span(lines).subspan(from, group.size()), *strategy, o,
                        number + group[0]);
    });
    if (ranks.first()) print(fmt::format("{}", fmt::join(found, "")));
    number += std::ssize(lines);
  }
  const int64_t invalid = ranks.of_first(input.invalid_lines());
  check(invalid == 0, "run: not UTF-8, so not translated: {} of {} lines", invalid, number - 1);
}

}  // namespace weft
