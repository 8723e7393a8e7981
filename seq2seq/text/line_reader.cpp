#include <poll.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace weft {
namespace {

constexpr size_t kChunk = 65536;

bool is_readable(int descriptor) {
  pollfd wanted{descriptor, POLLIN, 0};
  return poll(&wanted, 1, 0) != 0;  // an error is for read() to tell
}

}  // namespace

LineReader::LineReader(int descriptor, std::string name)
    : descriptor_(descriptor), name_(std::move(name)) {}

std::optional<std::string> LineReader::next() {
  while (!has_line()) fill();
  if (at_ == buffer_.size()) return std::nullopt;
  const size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
  std::string line = buffer_.substr(at_, end - at_);
  at_ = std::min(end + 1, buffer_.size());
  trim_line(line);
  return line;
}

bool LineReader::ready() {
  while (!has_line() && is_readable(descriptor_)) fill();
  return has_line();
}

void LineReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  std::array<char, kChunk> bytes;
  const ssize_t n = read(descriptor_, bytes.data(), bytes.size());
  check(n >= 0 || errno == EINTR, "read: cannot read {}: {}", name_, std::strerror(errno));
  ended_ = n == 0;
  if (n > 0) buffer_.append(bytes.data(), static_cast<size_t>(n));
}

}  // namespace weft
