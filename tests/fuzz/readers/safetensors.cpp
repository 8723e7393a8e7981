// Random bytes as a safetensors file: refused with an Error that names the file, or read into
// tensors that can be written and read again.
#include <weft/core/detail/check.h>
#include <weft/core/detail/safetensors_header.h>
#include <weft/core/serialize.h>
#include <weft/tests/fuzz/readers/memory_file.h>

#include <cstring>
#include <string_view>

using namespace weft;
using weft::fuzz::MemoryFile;
using weft::fuzz::require;

namespace {

void read_whole(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  try {
    const SafetensorsFile read = load_safetensors(file.path());
    for (const NamedTensor& t : read.tensors) require(t.tensor.defined() && read.contains(t.name));
  } catch (const Error& e) {
    require(std::strstr(e.what(), file.path().c_str()) != nullptr);
  }
}

// A header without the length in front of it, which random bytes seldom get right: all up to the
// last brace, the rest being data.
void read_header(std::string_view bytes) {
  const size_t brace = bytes.rfind('}');
  if (brace == std::string_view::npos) return;
  const uint64_t data_bytes = bytes.size() - brace - 1;
  try {
    const auto header = parse_safetensors_header("file", bytes.substr(0, brace + 1), data_bytes);
    uint64_t total = 0;
    for (const StoredTensor& t : header.tensors) {
      require(t.begin <= t.end && t.end <= data_bytes);
      require(static_cast<uint64_t>(t.shape.numel()) * size_of(t.type) == t.end - t.begin);
      total += t.end - t.begin;
    }
    require(total == data_bytes);
    const std::string again = format_safetensors_header("file", header);
    require(parse_safetensors_header("file", again, data_bytes).tensors.size() ==
            header.tensors.size());
  } catch (const Error& e) {
    require(std::strncmp(e.what(), "file: ", 6) == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_whole(data, size);
  read_header({reinterpret_cast<const char*>(data), size});
  return 0;
}
