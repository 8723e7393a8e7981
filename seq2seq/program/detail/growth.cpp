// A cursor is an offset and a checksum of some bytes before it, as "1024-89abcdef". Each reader has
// its own, so that nothing is kept here.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/growth.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace weft {
namespace {

constexpr uint64_t kSeen = 512;  // bytes before a cursor that it knows

// An ordinary file that is open for reading, or nothing.
class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& file) {
    do {
      descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (descriptor_ < 0 && errno == EINTR);
    check(descriptor_ >= 0 || errno == ENOENT || errno == ENOTDIR, "cannot be opened: {}",
          std::strerror(errno));
    struct stat status {};
    if (descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode))
      size_ = static_cast<uint64_t>(status.st_size);
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  uint64_t size() const { return size_; }

  // Fewer bytes where the file ends.
  std::string read(uint64_t from, uint64_t count) const {
    if (from >= size_) return "";
    std::string bytes(std::min(count, size_ - from), '\0');
    size_t got = 0;
    while (got < bytes.size()) {
      const ssize_t n = ::pread(descriptor_, bytes.data() + got, bytes.size() - got,
                                static_cast<off_t>(from + got));
      if (n < 0 && errno == EINTR) continue;
      check(n >= 0, "cannot be read beyond byte {}: {}", from + got, std::strerror(errno));
      if (n == 0) break;
      got += static_cast<size_t>(n);
    }
    bytes.resize(got);
    return bytes;
  }

 private:
  int descriptor_;
  uint64_t size_ = 0;
};

std::string cursor_at(const OpenFile& file, uint64_t offset) {
  const uint64_t seen = std::min(offset, kSeen);
  return fmt::format("{}-{:08x}", offset, crc32c(file.read(offset - seen, seen)));
}

// The offset of a cursor that is still true; else 0.
uint64_t offset_of(const OpenFile& file, const std::string& cursor) {
  uint64_t offset = 0;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), offset);
  return offset <= file.size() && cursor_at(file, offset) == cursor ? offset : 0;
}

void append_lines(std::string_view text, std::vector<std::string>& lines) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

Growth read_growth(const std::filesystem::path& path, const std::string& cursor, size_t most) {
  const OpenFile file(path);
  const uint64_t from = offset_of(file, cursor);
  const std::string bytes = file.read(from, most);
  size_t whole = bytes.rfind('\n') + 1;  // 0 where there is none
  if (whole == 0 && bytes.size() == most) whole = most;
  Growth growth{.cursor = cursor_at(file, from + whole),
                .anew = from == 0,
                .more = whole > 0 && from + bytes.size() < file.size()};
  append_lines(std::string_view(bytes).substr(0, whole), growth.lines);
  return growth;
}

}  // namespace weft
