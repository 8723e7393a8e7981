// Bytes of a file, a pipe or a terminal as they come; of gzip data (RFC 1952) those that they hold.
// Their first two bytes, 1f 8b, begin no text in UTF-8, so no name needs to tell.
#pragma once

#include <memory>
#include <string>

namespace weft {

class Gunzip;

class ByteReader {
 public:
  /// Reads a descriptor that stays open and its own; `name` is for messages.
  ByteReader(int descriptor, std::string name);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  /// Appends what is there to `text`, up to 64 KiB and perhaps nothing yet; false at the end.
  /// Throws if reading fails, and if gzip data are damaged, cut off, or followed by what is none.
  bool read(std::string& text);

  /// Whether read() would not wait.
  bool ready() const;

 private:
  bool needs_input() const;
  void fill();
  void recognize();

  int descriptor_;
  std::string name_, input_;  // what was read and not yet given on
  bool ended_ = false, known_ = false;
  std::unique_ptr<Gunzip> gunzip_;  // of gzip data
};

}  // namespace weft
