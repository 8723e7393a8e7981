// Lines as they come: from a pipe or a terminal, where the next one may be long in coming.
#pragma once

#include <optional>
#include <string>

namespace weft {

class LineReader {
 public:
  /// Reads a descriptor that stays open and its own; `name` is for messages.
  LineReader(int descriptor, std::string name);

  /// The next line as trim_line leaves it, whatever its bytes; a last line without an end counts.
  /// Nothing at the end. Throws if reading fails.
  std::optional<std::string> next();

  /// Whether next() would answer at once.
  bool ready();

 private:
  bool has_line() const { return ended_ || buffer_.find('\n', at_) != std::string::npos; }
  void fill();

  int descriptor_;
  std::string name_, buffer_;
  size_t at_ = 0;  // begin of the next line in the buffer
  bool ended_ = false;
};

}  // namespace weft
