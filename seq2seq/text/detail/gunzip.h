// Bytes out of gzip data (RFC 1952), as they come.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace weft {

class Gunzip {
 public:
  /// `name` is for messages, and must outlive the object.
  explicit Gunzip(const std::string& name);
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  /// Takes from the front of `input` what gives up to 64 KiB of `text`. Members may stand one after
  /// the other, for gzip files that were joined are one. Throws on data that are none.
  void unpack(std::string& input, std::string& text);

  /// Whether there may be more to unpack although all input was taken.
  bool holds_more() const;

  /// Throws if the data do not end.
  void check_whole() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace weft
