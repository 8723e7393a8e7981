#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/text_file.h>

#include <algorithm>

namespace weft {

LineReader::LineReader(int descriptor, std::string name)
    : name_(std::move(name)), bytes_(descriptor, name_) {}

std::optional<std::string> LineReader::next() {
  while (!has_line()) fill();
  if (at_ == buffer_.size()) return std::nullopt;
  const size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
  std::string line = buffer_.substr(at_, end - at_);
  at_ = std::min(end + 1, buffer_.size());
  trim_line(line);
  ++count_;
  return line;
}

bool LineReader::ready() {
  while (!has_line() && bytes_.ready()) fill();
  return has_line();
}

// Of half a line, or none.
void LineReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  check(buffer_.size() <= kLongest, "read: line {} of {} is longer than {} bytes", count_ + 1,
        name_, kLongest);
  ended_ = !bytes_.read(buffer_);
}

}  // namespace weft
