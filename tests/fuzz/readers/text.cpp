// Random bytes as text: refused with an Error, or lines of valid UTF-8 on which all that is done to
// text works. A zero byte cuts the input into the two files of a parallel corpus.
#include <weft/core/error.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/tests/fuzz/readers/memory_file.h>

#include <algorithm>

using namespace weft;
using weft::fuzz::MemoryFile;
using weft::fuzz::require;

namespace {

void check_line(const std::string& line) {
  require(!invalid_utf8(line) && line.find('\n') == std::string::npos);
  require(encode_utf8(decode_utf8(line)) == line);
  require(!invalid_utf8(lower_case(line)));
  require(!invalid_utf8(printable(line, 7)) && display_width(printable(line, 7)) <= 16);
  size_t letters = 0;
  for (std::string_view word : split_words(line)) {
    require(!word.empty() && word.data() >= line.data());
    letters += word.size();
  }
  require(letters <= line.size());
}

// The first bytes of gzip data are no UTF-8, and what is in them is longer.
void read_as_one(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const MemoryFile file(data, size);
  try {
    const auto lines = read_lines(file.path());
    require(lines.size() <= bytes.size() || bytes.starts_with("\x1f\x8b"));
    for (const std::string& line : lines) check_line(line);
  } catch (const weft::Error& e) {
    require(std::string(e.what()).find(file.path()) != std::string::npos && invalid_utf8(bytes));
  }
}

void read_as_two(const uint8_t* data, size_t size) {
  const auto cut = static_cast<size_t>(std::find(data, data + size, uint8_t{0}) - data);
  const MemoryFile source(data, cut), target(data + cut, size - cut);
  try {
    const ParallelText text = read_parallel(source.path(), target.path());
    require(!text.source.empty() && text.source.size() == text.target.size());
  } catch (const weft::Error& e) {
    require(*e.what() != '\0');
  }
}

void read_as_pairs(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  try {
    const ParallelText text = read_pairs(file.path());
    require(!text.source.empty() && text.source.size() == text.target.size());
    for (const auto* side : {&text.source, &text.target})
      for (const std::string& line : *side) require(line.find_first_of("\t\n") == line.npos);
  } catch (const weft::Error& e) {
    require(*e.what() != '\0');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read_as_one(data, size);
  read_as_two(data, size);
  read_as_pairs(data, size);
  decode_utf8(bytes);
  split_words(bytes);
  display_width(bytes);
  lower_case(bytes);
  printable(bytes, 5);
  return 0;
}
