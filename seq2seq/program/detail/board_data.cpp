// Only what was read as what it should be goes on to the page, written anew as JSON.
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/program/detail/board_data.h>
#include <weft/seq2seq/program/detail/growth.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/toml.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>

namespace weft {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFields = 64, kLongestKey = 64, kMostSamples = 64, kLongestNote = 300;
constexpr int64_t kMostTokens = 64, kMostLayers = 256;  // of a film

struct stat status_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) status = {};
  return status;
}

// Of another file at the same place it is another one; empty where there is none.
std::string tag_of(const fs::path& file) {
  const struct stat s = status_of(file);
  if (s.st_ino == 0) return "";
  return fmt::format("{:x}-{:x}-{:x}.{:x}", s.st_ino, s.st_size, s.st_mtim.tv_sec,
                     s.st_mtim.tv_nsec);
}

std::string age_of(const fs::path& file) {
  const struct stat s = status_of(file);
  if (s.st_ino == 0) return "null";
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("{:.1f}", std::max(0., now.count() - static_cast<double>(s.st_mtim.tv_sec)));
}

// The numbers of a line of the metrics.
JsonObject numbers_of(const JsonObject& line) {
  check(integer_at(line, "step") >= 0, "no update has a number below 0");
  JsonObject numbers;
  for (const auto& [key, value] : line) {
    const auto* real = std::get_if<double>(&value);
    const bool is_number = std::holds_alternative<int64_t>(value) || (real && std::isfinite(*real));
    if (is_number && key.size() <= kLongestKey) numbers.emplace_back(key, value);
  }
  check(numbers.size() <= kMostFields, "too many numbers");
  return numbers;
}

// The sentences of a line of samples.
JsonObject sentences_of(const JsonObject& line) {
  JsonObject sentences{{"step", integer_at(line, "step")}};
  for (const char* key : {"source", "reference", "translation"}) {
    if (!has(line, key)) continue;
    check(strings_at(line, key).size() <= kMostSamples, "too many sentences");
    sentences.emplace_back(key, strings_at(line, key));
  }
  return sentences;
}

std::string note_of(const fs::path& file, const std::exception& e) {
  return printable(file.filename().string() + ": " + e.what(), kLongestNote);
}

std::string growth_data(const Growth& growth, JsonObject (*take)(const JsonObject&)) {
  std::vector<std::string> lines;
  for (const std::string& line : growth.lines) {
    try {
      lines.push_back(to_json_line(take(parse_json(line))));
    } catch (const Error&) {
    }
  }
  return fmt::format(R"({{"cursor":"{}","anew":{},"more":{},"damaged":{},"lines":[{}]}})",
                     growth.cursor, growth.anew, growth.more, growth.lines.size() - lines.size(),
                     fmt::join(lines, ","));
}

std::string log_data(const fs::path& file, const std::string& cursor,
                     JsonObject (*take)(const JsonObject&)) {
  try {
    return growth_data(read_growth(file, cursor), take);
  } catch (const Error& e) {
    return to_json_line({{"note", note_of(file, e)}});
  }
}

// What `make` gets out of what `read` read of a file that is another one than was seen, with its
// tag; null where it is the same. What could not be read is to be asked for again.
template <class Read, class Make>
std::string file_data(const fs::path& file, const std::string& seen, Read read, Make make) {
  std::string tag = tag_of(file);
  if (tag == seen) return "null";
  bool is_read = false;
  std::string value = "null", note;
  try {
    if (!tag.empty()) {
      const auto content = read(file);
      is_read = true;
      value = make(content);
    }
  } catch (const std::exception& e) {
    note = note_of(file, e);
    if (!is_read) tag.clear();
  }
  JsonObject head{{"tag", tag}};
  if (!note.empty()) head.emplace_back("note", note);
  std::string data = to_json_line(head);
  data.pop_back();
  return data + ",\"value\":" + value + "}";
}

// Of small files, which are written whole.
Growth beginning_of(const fs::path& file) { return read_growth(file, ""); }

std::string text_of(const Growth& growth) {
  check(!growth.more, "is longer than {} bytes", kMostGrowth);
  return fmt::format("{}\n", fmt::join(growth.lines, "\n"));
}

struct FoundFilm {
  Film film{};
  std::vector<std::string> notes{};
};

FoundFilm find_film(const fs::path& file) {
  FoundFilm found;
  found.film = read_film(file, found.notes);
  return found;
}

std::string film_of(const FoundFilm& found) {
  const auto& [film, notes] = found;
  check(!film.frames.empty(), "{}", notes.empty() ? "has no frames" : notes[0]);
  const auto tokens = std::max(std::ssize(film.source), std::ssize(film.predicted));
  const auto layers = std::max(std::ssize(film.layers), film.map_layers);
  check(tokens <= kMostTokens && layers <= kMostLayers,
        "at most {} tokens and {} layers can be shown; got {} and {}", kMostTokens, kMostLayers,
        tokens, layers);
  return fmt::format("[{}]", fmt::join(film_lines(film), ","));
}

std::string settings_of(const Growth& file) {
  JsonObject values;
  for (const TomlEntry& entry : parse_toml(text_of(file), kRunSettings))
    values.emplace_back(entry.key, entry.text);
  return to_json_line(values);
}

std::string summary_of(const Growth& file) { return to_json_line(parse_json(text_of(file))); }

}  // namespace

std::string board_data(const fs::path& directory, const BoardSeen& seen) {
  std::error_code ignored;
  const bool replacing = fs::is_directory(directory / kNewRun, ignored);
  const fs::path folder = replacing ? directory / kNewRun : directory;
  const fs::path film = folder / kFilm, settings = folder / kRunSettings,
                 summary = folder / kSummary;
  return fmt::format(
      R"({{"age":{},"metrics":{},"samples":{},"film":{},"settings":{},"summary":{}}})",
      age_of(folder / kMetrics), log_data(folder / kMetrics, seen.metrics, numbers_of),
      log_data(folder / kSamples, seen.samples, sentences_of),
      file_data(film, seen.film, find_film, film_of),
      file_data(settings, seen.settings, beginning_of, settings_of),
      file_data(summary, seen.summary, beginning_of, summary_of));
}

}  // namespace weft
