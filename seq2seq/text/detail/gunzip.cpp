// The only use of zlib.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/detail/gunzip.h>
#include <zlib.h>

#include <array>

namespace weft {

struct Gunzip::Stream {
  const std::string& name;
  z_stream zlib{};
  size_t taken = 0;  // bytes of all input
  bool whole = false, holds_more = false;
};

Gunzip::Gunzip(const std::string& name) : stream_(new Stream{.name = name}) {
  constexpr int kLargestWindow = 15, kOnlyGzip = 16;
  const int status = inflateInit2(&stream_->zlib, kLargestWindow + kOnlyGzip);
  check(status == Z_OK, "read: cannot unpack {}: {}", name, zError(status));
}

Gunzip::~Gunzip() { inflateEnd(&stream_->zlib); }

void Gunzip::unpack(std::string& input, std::string& text) {
  Stream& s = *stream_;
  if (s.whole && !input.empty()) {
    inflateReset(&s.zlib);
    s.whole = false;
  }
  std::array<char, 65536> chunk;
  s.zlib.next_in = reinterpret_cast<Bytef*>(input.data());
  s.zlib.avail_in = static_cast<uInt>(input.size());
  s.zlib.next_out = reinterpret_cast<Bytef*>(chunk.data());
  s.zlib.avail_out = static_cast<uInt>(chunk.size());
  const int status = inflate(&s.zlib, Z_NO_FLUSH);
  const size_t taken = input.size() - s.zlib.avail_in;
  s.taken += taken;
  check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR,
        "read: {} holds damaged gzip data: {}, at byte {}", s.name,
        s.zlib.msg ? s.zlib.msg : zError(status), s.taken);
  s.whole = s.whole || status == Z_STREAM_END;
  s.holds_more = status == Z_OK && s.zlib.avail_out == 0;
  input.erase(0, taken);
  text.append(chunk.data(), chunk.size() - s.zlib.avail_out);
}

bool Gunzip::holds_more() const { return stream_->holds_more; }

void Gunzip::check_whole() const {
  check(stream_->whole, "read: {} is cut off: its gzip data do not end, at byte {}", stream_->name,
        stream_->taken);
}

}  // namespace weft
