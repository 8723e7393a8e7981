// Lines as they come: from a file, a pipe or a terminal, where the next one may be long in coming.
#pragma once

#include <weft/seq2seq/text/byte_reader.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weft {

class LineReader {
 public:
  /// The longest line, in bytes: a small gzip file may hold one that fills the memory.
  static constexpr size_t kLongest = size_t{1} << 24;

  /// Reads a descriptor that stays open and its own, gzip data too; `name` is for messages.
  LineReader(int descriptor, std::string name);

  /// The next line as trim_line leaves it, whatever its bytes; a last line without an end counts.
  /// Nothing at the end. Throws if reading fails (byte_reader.h), and on a line that is too long.
  std::optional<std::string> next();

  /// Whether next() would answer at once.
  bool ready();

  /// Lines that next() has given.
  int64_t count() const { return count_; }

 private:
  bool has_line() const { return ended_ || buffer_.find('\n', at_) != std::string::npos; }
  void fill();

  std::string name_, buffer_;
  ByteReader bytes_;
  int64_t count_ = 0;
  size_t at_ = 0;  // begin of the next line in the buffer
  bool ended_ = false;
};

}  // namespace weft
