// film.jsonl. Norms have four significant digits there, attention weights two decimals.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/detail/json_lines.h>
#include <weft/seq2seq/lab/detail/thin_out.h>
#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/text/detail/parse_number.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr int64_t kMostHeads = 1 << 16, kMostTokens = 1 << 12, kMostUpdates = int64_t{1} << 53;

std::vector<double> rounded(const std::vector<double>& values) {
  std::vector<double> shorter;
  for (const double value : values) {
    const std::string text = fmt::format("{:.4g}", value);
    parse_number(text, shorter.emplace_back());
  }
  return shorter;
}

std::vector<double> in_hundredths(const std::vector<double>& values) {
  std::vector<double> shorter;
  for (const double value : values) shorter.push_back(std::round(100 * value) / 100);
  return shorter;
}

JsonObject subject_of(const Film& film) {
  std::vector<std::string> paths;
  std::vector<double> heads;
  for (const Film::Attention& a : film.attention) {
    paths.push_back(a.path);
    heads.push_back(static_cast<double>(a.heads));
  }
  return {{"format", "weft-film 1"},
          {"layers", film.layers},
          {"attention", paths},
          {"heads", heads},
          {"source", film.source},
          {"predicted", film.predicted},
          {"map_layers", film.map_layers},
          {"gap", film.gap}};
}

JsonObject to_object(const Film::Frame& frame) {
  return {{"update", frame.update},
          {"gradients", frame.gradients},
          {"norm", rounded(frame.norm)},
          {"snr", rounded(frame.snr)},
          {"head_norm", rounded(frame.head_norm)},
          {"head_snr", rounded(frame.head_snr)},
          {"maps", in_hundredths(frame.maps)}};
}

int64_t count_at(const JsonObject& line, const std::string& key, int64_t least, int64_t most) {
  const int64_t value = integer_at(line, key);
  check(value >= least && value <= most, "\"{}\" must be in [{}, {}]; got {}", key, least, most,
        value);
  return value;
}

std::vector<double> numbers_of(const JsonObject& line, const std::string& key, int64_t count) {
  std::vector<double> values = numbers_at(line, key);
  check(std::ssize(values) == count, "\"{}\" must have {} numbers; got {}", key, count,
        values.size());
  return values;
}

const std::vector<std::string>& tokens_at(const JsonObject& line, const std::string& key) {
  const std::vector<std::string>& tokens = strings_at(line, key);
  check(std::ssize(tokens) <= kMostTokens, "\"{}\" must have at most {} tokens; got {}", key,
        kMostTokens, tokens.size());
  return tokens;
}

Film read_subject(const JsonObject& line) {
  check(string_at(line, "format") == "weft-film 1", "the format must be weft-film 1; got {}",
        string_at(line, "format"));
  Film film;
  film.layers = strings_at(line, "layers");
  check(!film.layers.empty(), "\"layers\" must not be empty");
  const std::vector<std::string>& paths = strings_at(line, "attention");
  const std::vector<double> heads = numbers_of(line, "heads", std::ssize(paths));
  for (size_t i = 0; i < paths.size(); ++i) {
    check(heads[i] >= 1 && heads[i] <= kMostHeads, "heads must be in [1, {}]; got {}", kMostHeads,
          heads[i]);
    film.attention.push_back({paths[i], static_cast<int64_t>(heads[i])});
  }
  film.source = tokens_at(line, "source");
  film.predicted = tokens_at(line, "predicted");
  film.map_layers = count_at(line, "map_layers", 0, kMostHeads);
  film.gap = count_at(line, "gap", 0, kMostUpdates);
  return film;
}

Film::Frame read_frame(const JsonObject& line, const Film& film) {
  const int64_t layers = std::ssize(film.layers), heads = film.heads();
  const int64_t last = film.frames.empty() ? 0 : film.frames.back().update;
  check(film.frames.size() < Film::kMostFrames, "a film has at most {} frames", Film::kMostFrames);
  return {
      .update = count_at(line, "update", last + 1, kMostUpdates),
      .gradients = count_at(line, "gradients", 0, kMostUpdates),
      .norm = numbers_of(line, "norm", layers),
      .snr = numbers_of(line, "snr", layers),
      .head_norm = numbers_of(line, "head_norm", heads),
      .head_snr = numbers_of(line, "head_snr", heads),
      .maps = numbers_of(line, "maps",
                         film.map_layers * std::ssize(film.source) * std::ssize(film.predicted))};
}

}  // namespace

int64_t Film::heads() const {
  int64_t sum = 0;
  for (const Attention& a : attention) sum += a.heads;
  return sum;
}

bool Film::same_subject(const Film& other) const {
  return layers == other.layers && attention == other.attention && source == other.source &&
         predicted == other.predicted;
}

void Film::add(Frame frame) {
  if (!frames.empty() && frame.update < frames.back().update + gap) return;
  frames.push_back(std::move(frame));
  if (frames.size() < kMostFrames) return;
  detail::thin_out(frames);
  gap = frames[1].update - frames[0].update;  // or less, as epochs may differ a little in length
  for (size_t i = 2; i < frames.size(); ++i)
    gap = std::min(gap, frames[i].update - frames[i - 1].update);
}

std::vector<std::string> film_lines(const Film& film) {
  std::vector<std::string> lines{to_json_line(subject_of(film))};
  for (const Film::Frame& frame : film.frames) lines.push_back(to_json_line(to_object(frame)));
  return lines;
}

void save_film(const std::filesystem::path& file, const Film& film) {
  std::string text;
  for (const std::string& line : film_lines(film)) text += line + "\n";
  write_file(file, text);
}

Film read_film(const std::filesystem::path& file, std::vector<std::string>& notes) {
  Film film;
  detail::for_each_line(file, notes, [&](const JsonObject& line, int64_t number) {
    if (number == 1)
      film = read_subject(line);
    else if (!film.layers.empty())
      film.frames.push_back(read_frame(line, film));
  });
  return film;
}

}  // namespace weft
