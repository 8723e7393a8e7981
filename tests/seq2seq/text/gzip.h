// Text as gzip packs it.
#pragma once

#include <weft/core/detail/check.h>
#include <zlib.h>

#include <string>

namespace weft {

inline std::string gzip(std::string text) {
  constexpr int kLargestWindow = 15, kGzip = 16, kMemory = 8;
  z_stream stream{};
  invariant(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kLargestWindow + kGzip, kMemory,
                         Z_DEFAULT_STRATEGY) == Z_OK,
            "deflateInit2");
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  invariant(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace weft
