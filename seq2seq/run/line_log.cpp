#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/line_log.h>
#include <weft/seq2seq/text/text_file.h>

#include <cerrno>
#include <cstring>
#include <sstream>

namespace weft {
namespace {

using Keeps = std::function<bool(const JsonObject&)>;

bool is_kept(const std::string& line, const Keeps& keeps) {
  try {
    return keeps(parse_json(line));
  } catch (const Error&) {
    return false;  // a crash cut it off
  }
}

const std::filesystem::path& keep_only(const std::filesystem::path& file, const Keeps& keeps) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return file;
  const std::string before = read_file(file);
  std::istringstream lines(before);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (is_kept(line, keeps)) kept.append(line).append("\n");
  if (kept != before) write_file(file, kept);
  return file;
}

}  // namespace

LineLog::LineLog(const std::filesystem::path& file, const Keeps& keeps)
    : file_(file), out_(keep_only(file, keeps), std::ios::binary | std::ios::app) {
  check(out_.is_open(), "log: cannot open '{}': {}", file.string(), std::strerror(errno));
}

void LineLog::write(const JsonObject& line) {
  std::error_code ignored;  // of what is not a file, and cannot be cut
  const auto whole = std::filesystem::file_size(file_, ignored);
  out_ << to_json_line(line) << '\n' << std::flush;
  if (out_.good()) return;
  const std::string reason = std::strerror(errno);
  out_.close();  // else it would try to write the rest again
  if (std::filesystem::is_regular_file(file_, ignored))
    std::filesystem::resize_file(file_, whole, ignored);
  fail("log: cannot write '{}': {}", file_.string(), reason);
}

}  // namespace weft
