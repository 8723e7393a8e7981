// A damaged line costs a note and itself, not the file.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/detail/json_lines.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

#include <sstream>

namespace weft::detail {
namespace {

constexpr uintmax_t kMostBytes = 64 << 20;
constexpr int64_t kMostNotes = 3;
constexpr size_t kLongestNote = 200;

}  // namespace

void for_each_line(const std::filesystem::path& file, std::vector<std::string>& notes,
                   const std::function<void(const JsonObject& line, int64_t number)>& take) {
  const auto note = [&](const std::string& text) {
    notes.push_back(printable(file.filename().string() + text, kLongestNote));
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return;
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error || bytes > kMostBytes)
    return note(fmt::format(": left out, as it has more than {} bytes", kMostBytes));
  std::istringstream lines(read_file(file));
  int64_t number = 0, damaged = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      take(parse_json(line), number);
    } catch (const Error& e) {
      if (++damaged <= kMostNotes) note(fmt::format(", line {}: {}", number, e.what()));
    }
  }
  if (damaged > kMostNotes) note(fmt::format(": {} more damaged lines", damaged - kMostNotes));
}

}  // namespace weft::detail
