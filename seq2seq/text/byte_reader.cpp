// The only use of zlib.
#include <poll.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/byte_reader.h>
#include <zlib.h>

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

// Members one after the other, for gzip files that were joined are one.
class ByteReader::Gunzip {
 public:
  explicit Gunzip(const std::string& name) : name_(name) {
    constexpr int kLargestWindow = 15, kOnlyGzip = 16;
    const int status = inflateInit2(&stream_, kLargestWindow + kOnlyGzip);
    check(status == Z_OK, "read: cannot unpack {}: {}", name_, zError(status));
  }
  ~Gunzip() { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  // Takes from the front of `input` what gives up to a chunk of `text`.
  void unpack(std::string& input, std::string& text) {
    if (whole_ && !input.empty()) begin_member();
    std::array<char, kChunk> chunk;
    stream_.next_in = reinterpret_cast<Bytef*>(input.data());
    stream_.avail_in = static_cast<uInt>(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream_.avail_out = kChunk;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    const size_t taken = input.size() - stream_.avail_in;
    taken_ += taken;
    check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR,
          "read: {} holds damaged gzip data: {}, at byte {}", name_,
          stream_.msg ? stream_.msg : zError(status), taken_);
    whole_ = whole_ || status == Z_STREAM_END;
    holds_more_ = status == Z_OK && stream_.avail_out == 0;
    input.erase(0, taken);
    text.append(chunk.data(), kChunk - stream_.avail_out);
  }

  // Whether there may be more to unpack although all input was taken.
  bool holds_more() const { return holds_more_; }

  void check_whole() const {
    check(whole_, "read: {} is cut off: its gzip data do not end, at byte {}", name_, taken_);
  }

 private:
  void begin_member() {
    inflateReset(&stream_);
    whole_ = false;
  }

  const std::string& name_;
  z_stream stream_{};
  size_t taken_ = 0;  // bytes of all input
  bool whole_ = false, holds_more_ = false;
};

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
