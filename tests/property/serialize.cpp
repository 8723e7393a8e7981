// What is written to a safetensors file is read back: names, metadata, dtypes, shapes and bits.
#include <weft/autograd/ops.h>
#include <weft/core/serialize.h>
#include <weft/tests/property/property.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <set>

using namespace weft;
using namespace weft::property;

namespace {

// Printable, escaped and non-ASCII characters.
std::string draw_text() {
  const auto letters = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", "Z", "0", ".", "/", "\"", "\\", "\n", "\x01", " ",
                                    "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"));
  std::string text;
  for (const std::string& s : letters) text += s;
  return text;
}

Tensor draw_any() {
  Tensor t = draw_tensor(draw_shape(0, 5, 0, 4));
  switch (draw(0, 3)) {
    case 0:
      return t;
    case 1:
      return to(t, kFloat32);
    case 2:
      return to(t * 1e9, kInt64);
    default:
      return gt(t, 0);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = contiguous(a), y = contiguous(b);
  const size_t bytes = static_cast<size_t>(x.numel()) * size_of(x.dtype());
  return bytes == 0 || std::memcmp(x.raw(), y.raw(), bytes) == 0;
}

}  // namespace

TEST_CASE("what is saved is loaded") {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("weft_property_" + std::to_string(getpid()) + ".safetensors"))
                               .string();
  holds("round trip", [&path] {
    NamedTensors tensors;
    std::set<std::string> names{"__metadata__"};
    for (int64_t n = draw(0, 4); n > 0; --n) {
      const std::string name = draw_text();
      if (names.insert(name).second) tensors.push_back({name, draw_any()});
    }
    Metadata metadata;
    for (int64_t n = draw(0, 2); n > 0; --n) metadata[draw_text()] = draw_text();
    save_safetensors(path, tensors, metadata);
    const SafetensorsFile file = load_safetensors(path);
    RC_ASSERT(file.metadata == metadata);
    RC_ASSERT(file.tensors.size() == tensors.size());
    for (const NamedTensor& t : tensors) {
      const Tensor& loaded = file.at(t.name);
      RC_ASSERT(loaded.dtype() == t.tensor.dtype());
      RC_ASSERT(loaded.shape() == t.tensor.shape());
      RC_ASSERT(same_bits(loaded, t.tensor));
    }
  });
  std::filesystem::remove(path);
}
