// Fields of protocol buffers: a key, (number << 3) | type, and a value. Of the types here 0 is a
// varint, 1 are 8 bytes, 2 a length and so many bytes, 5 are 4 bytes. Masked is
//   ((crc >> 15) | (crc << 17)) + 0xa282ead8.
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/event_file.h>
#include <weft/seq2seq/run/run_directory.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

namespace weft {
namespace {

namespace fs = std::filesystem;

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i)
    bytes += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes += static_cast<char>(value);
}

std::string field(uint64_t number, uint64_t type, std::string_view value) {
  return varint(number << 3 | type).append(value);
}

std::string text_field(uint64_t number, std::string_view text) {
  return field(number, 2, varint(text.size()).append(text));
}

std::string scalar(const std::string& tag, double value) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return text_field(1, tag) + field(2, 5, little_endian(bits));
}

uint32_t masked_checksum(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8;
}

std::string with_checksum(const std::string& bytes) {
  return bytes + little_endian(masked_checksum(bytes));
}

double seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Of a file's name; 0 where there are none of ten digits.
int64_t seconds_in(const std::string& name) {
  const std::string_view prefix = kEvents;
  int64_t seconds = 0;
  if (name.starts_with(prefix))
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), seconds);
  return seconds > 0 && seconds < 10'000'000'000 ? seconds : 0;
}

fs::path next_file(const fs::path& folder) {
  auto seconds = static_cast<int64_t>(seconds_since_1970());
  std::error_code none;  // a folder that cannot be read has no place for the file either
  for (const auto& entry : fs::directory_iterator(folder, none))
    seconds = std::max(seconds, seconds_in(entry.path().filename().string()) + 1);
  return folder / fmt::format("{}{:010}.weft", kEvents, seconds);
}

}  // namespace

EventFile::EventFile(const fs::path& folder, int64_t step)
    : file_(next_file(folder)), out_(file_, std::ios::binary | std::ios::app) {
  check(out_.is_open(), "EventFile: cannot open '{}': {}", file_.string(), std::strerror(errno));
  write_event(0, text_field(3, "brain.Event:2"));
  constexpr uint64_t kStart = 1;  // session_log { status: START }: steps from here on are new
  write_event(step + 1, text_field(7, field(1, 0, varint(kStart))));
}

void EventFile::write(int64_t step, const Scalars& scalars) {
  std::string values;
  for (const auto& [tag, value] : scalars) values += text_field(1, scalar(tag, value));
  write_event(step, text_field(5, values));
}

void EventFile::write_event(int64_t step, std::string_view fields) {
  const auto now = std::bit_cast<uint64_t>(seconds_since_1970());
  const std::string event = field(1, 1, little_endian(now)) +
                            field(2, 0, varint(static_cast<uint64_t>(step))).append(fields);
  out_ << with_checksum(little_endian(uint64_t{event.size()})) << with_checksum(event)
       << std::flush;
  if (out_.good()) return;
  const std::string reason = std::strerror(errno);
  out_.close();  // else it would try to write the rest again
  fail("EventFile: cannot write '{}': {}", file_.string(), reason);
}

}  // namespace weft
