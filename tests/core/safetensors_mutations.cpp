// Headers of safetensors files changed at random: the reader refuses, or what it accepts is sound.
#include <weft/core/detail/safetensors_header.h>
#include <weft/core/error.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

constexpr uint64_t kDataBytes = 64;
const std::string kHeader =
    R"({"__metadata__":{"note":"x"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"F16","shape":[],"data_offsets":[24,26]},)"
    R"("c":{"dtype":"BOOL","shape":[6,0],"data_offsets":[26,26]},)"
    R"("d":{"dtype":"I64","shape":[1],"data_offsets":[26,34]},)"
    R"("e":{"dtype":"BF16","shape":[3,5],"data_offsets":[34,64]}})";

std::string piece_of(const std::string& text, Generator& gen) {
  const int64_t at = gen.below(static_cast<int64_t>(text.size())), n = 1 + gen.below(12);
  return text.substr(static_cast<size_t>(at), static_cast<size_t>(n));
}

// Replaces, inserts, removes or doubles a few pieces.
std::string mutated(std::string text, Generator& gen) {
  static const std::string kAlphabet = "{}[]\",:0123456789-.eE tnf\\u\x01\x80\xc3\xff";
  for (int64_t changes = 1 + gen.below(3); changes > 0 && !text.empty(); --changes) {
    const size_t at = static_cast<size_t>(gen.below(static_cast<int64_t>(text.size())));
    const std::string piece = piece_of(text, gen);
    const std::string character(1, piece_of(kAlphabet, gen)[0]);
    const int64_t kind = gen.below(5);
    if (kind == 0) text.replace(at, 1, character);
    if (kind == 1) text.insert(at, character);
    if (kind == 2) text.erase(at, static_cast<size_t>(1 + gen.below(8)));
    if (kind == 3) text.insert(at, piece);
    if (kind == 4) text.replace(at, piece.size(), piece);
  }
  return text;
}

// Every byte belongs to one tensor, and every tensor's bytes are what its shape takes.
bool is_sound(const SafetensorsHeader& header) {
  std::vector<int> owners(kDataBytes, 0);
  for (const StoredTensor& t : header.tensors) {
    if (t.begin > t.end || t.end > kDataBytes) return false;
    if (static_cast<uint64_t>(t.shape.numel()) * size_of(t.type) != t.end - t.begin) return false;
    for (uint64_t i = t.begin; i < t.end; ++i) ++owners[i];
  }
  return owners == std::vector<int>(kDataBytes, 1);
}

}  // namespace

TEST_CASE("mutated safetensors headers are refused with an Error, or sound") {
  Generator gen(20240607);
  REQUIRE(is_sound(parse_safetensors_header("file", kHeader, kDataBytes)));
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = mutated(kHeader, gen);
    try {
      const SafetensorsHeader header = parse_safetensors_header("file", text, kDataBytes);
      ++accepted;
      if (!is_sound(header)) FAIL("accepted " << text);
    } catch (const Error& e) {
      ++refused;
      if (std::string(e.what()).compare(0, 6, "file: ") != 0) FAIL(e.what() << " for " << text);
    }
  }
  CHECK(accepted > 100);
  CHECK(refused > 10000);
}
