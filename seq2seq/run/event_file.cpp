// A masked checksum is ((crc >> 15) | (crc << 17)) + 0xa282ead8.
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/event_file.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/text/detail/protobuf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

namespace weft {

using protobuf::put_bytes, protobuf::put_double, protobuf::put_float, protobuf::put_integer;

namespace {

namespace fs = std::filesystem;

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i)
    bytes += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
  return bytes;
}

std::string scalar(const std::string& tag, double value) {
  std::string proto;
  put_bytes(proto, 1, tag);
  put_float(proto, 2, static_cast<float>(value));
  return proto;
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
  std::string version, start, session;
  put_bytes(version, 3, "brain.Event:2");
  write_event(0, version);
  constexpr int64_t kStart = 1;  // steps from here on are new
  put_integer(start, 1, kStart);
  put_bytes(session, 7, start);
  write_event(step + 1, session);
}

void EventFile::write(int64_t step, const Scalars& scalars) {
  std::string values, summary;
  for (const auto& [tag, value] : scalars) put_bytes(values, 1, scalar(tag, value));
  put_bytes(summary, 5, values);
  write_event(step, summary);
}

void EventFile::write_event(int64_t step, std::string_view fields) {
  std::string event;
  put_double(event, 1, seconds_since_1970());
  put_integer(event, 2, step);
  event += fields;
  out_ << with_checksum(little_endian(uint64_t{event.size()})) << with_checksum(event)
       << std::flush;
  if (out_.good()) return;
  const std::string reason = std::strerror(errno);
  out_.close();  // else it would try to write the rest again
  fail("EventFile: cannot write '{}': {}", file_.string(), reason);
}

}  // namespace weft
