// The header of a safetensors file: JSON that maps names to dtype, shape and place of the elements.
//   {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3],
//    "data_offsets": [0, 24]}, ...}
// Format: github.com/huggingface/safetensors. Everything in it is checked here.
#pragma once

#include <weft/core/dtype.h>
#include <weft/core/shape.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// How elements are stored. Half precision is widened to float32 on reading.
enum class StoredType { f64, i64, f32, f16, bf16, boolean };

struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  Shape shape;
  uint64_t begin = 0, end = 0;  ///< bytes after the header
  uint32_t crc32c = 0;          ///< of these bytes, where the header has checksums
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  ///< in the order of the header
  std::map<std::string, std::string> metadata;
  bool has_checksums = false;
};

/// The entry of the metadata, kept out of SafetensorsHeader::metadata, that holds checksums:
/// CRC-32C in 8 hexadecimal digits of the header without this one, then of each tensor's bytes.
inline constexpr const char* kChecksumKey = "weft.crc32c";

/// Parses a header in front of `data_bytes` bytes of elements. An Error, which starts with `where`,
/// unless it is valid JSON of this form without duplicate keys, with known dtypes, at most kMaxRank
/// dims, sizes that fit the offsets, and tensors that tile the data without holes or overlaps; and
/// is what was written, if it has a checksum.
SafetensorsHeader parse_safetensors_header(const std::string& where, std::string_view text,
                                           uint64_t data_bytes);

/// The JSON of a header, padded with spaces to a multiple of 8 bytes. An Error, which starts with
/// `where`, if a name is not UTF-8 or the metadata has an entry of the name kChecksumKey.
std::string format_safetensors_header(const std::string& where, const SafetensorsHeader& header);

DType loaded_dtype(StoredType type);
StoredType stored_type(DType dtype);
/// Bytes of one stored element.
size_t size_of(StoredType type);

}  // namespace weft
