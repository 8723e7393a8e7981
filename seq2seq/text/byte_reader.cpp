#include <poll.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/byte_reader.h>
#include <weft/seq2seq/text/detail/gunzip.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace weft {
namespace {

constexpr size_t kChunk = 65536;
constexpr std::string_view kGzip = "\x1f\x8b";

bool is_readable(int descriptor) {
  pollfd wanted{descriptor, POLLIN, 0};
  return poll(&wanted, 1, 0) != 0;  // an error is for read() to tell
}

}  // namespace

ByteReader::ByteReader(int descriptor, std::string name)
    : descriptor_(descriptor), name_(std::move(name)) {}

ByteReader::~ByteReader() = default;

bool ByteReader::read(std::string& text) {
  if (!ended_ && needs_input()) fill();
  if (!known_) recognize();
  if (gunzip_)
    gunzip_->unpack(input_, text);
  else if (known_)
    text.append(std::exchange(input_, {}));
  if (gunzip_ && ended_) gunzip_->check_whole();
  return !ended_;
}

bool ByteReader::ready() const { return ended_ || !needs_input() || is_readable(descriptor_); }

bool ByteReader::needs_input() const {
  return !known_ || (input_.empty() && !(gunzip_ && gunzip_->holds_more()));
}

void ByteReader::fill() {
  std::array<char, kChunk> bytes;
  const ssize_t n = ::read(descriptor_, bytes.data(), bytes.size());
  check(n >= 0 || errno == EINTR, "read: cannot read {}: {}", name_, std::strerror(errno));
  ended_ = n == 0;
  if (n > 0) input_.append(bytes.data(), static_cast<size_t>(n));
}

// What may still become the first two bytes of gzip data is not known yet.
void ByteReader::recognize() {
  known_ = ended_ || input_.size() >= kGzip.size() || !kGzip.starts_with(input_);
  if (input_.starts_with(kGzip)) gunzip_ = std::make_unique<Gunzip>(name_);
}

}  // namespace weft
