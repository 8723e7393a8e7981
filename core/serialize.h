// Tensors in safetensors files, the format in which weights go to and from Python.
#pragma once

#include <weft/core/tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
/// Tensors by name, in an order that means something to their owner.
using NamedTensors = std::vector<NamedTensor>;
using Metadata = std::map<std::string, std::string>;

/// What a file holds.
struct SafetensorsFile {
  std::string path;
  NamedTensors tensors;  ///< in the order of the file's header
  Metadata metadata;
  bool has_checksums = false;  ///< and so what was read is what weft wrote

  bool contains(std::string_view name) const;
  /// The tensor of that name; Error if there is none.
  const Tensor& at(std::string_view name) const;
};

/// Writes tensors of any layout, with a checksum (core/checksum.h) of each and of all that the
/// header says, in an entry "weft.crc32c" of the metadata, where other readers find a string like
/// any other. Atomic: on an Error (a full disk, a missing folder, a duplicate name) nothing is left
/// behind and an older file at `path` stays.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata = {});

/// Reads F32, F64, I64, BOOL, and F16 or BF16, which become float32. The whole header is checked
/// against the file before memory is taken for tensors, and what is read against its checksums, if
/// any; a bad file is an Error that names it and the fault. With a prefix, only the tensors whose
/// names begin with it, without it: weights of a part ("model." of a checkpoint); Error if none.
SafetensorsFile load_safetensors(const std::string& path, std::string_view prefix = {});

}  // namespace weft
