// Reading text, with errors that name the file and the line.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

namespace weft {
namespace {

void check_utf8(const std::string& line, const std::string& name, size_t number) {
  if (const auto at = invalid_utf8(line)) {
    fail("read: expected UTF-8; got byte 0x{:02x} at line {}, byte {} of {}",
         static_cast<unsigned char>(line[*at]), number, *at + 1, name);
  }
}

int open_to_read(const std::filesystem::path& file) {
  std::error_code ignored;  // open() knows more
  check(!std::filesystem::is_directory(file, ignored),
        "read: expected a file; got the directory '{}'", file.string());
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  check(descriptor >= 0, "read: cannot open '{}': {}", file.string(), std::strerror(errno));
  return descriptor;
}

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& file) : descriptor_(open_to_read(file)) {}
  ~OpenFile() { ::close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// Half of the memory in bytes; the rest is for what is made of a text.
size_t most_text() {
  const auto machine = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  const uint64_t addressable = std::numeric_limits<size_t>::max();
  return static_cast<size_t>(std::min<uint64_t>({machine, limit.rlim_cur, addressable}) / 2);
}

std::vector<std::string> read_corpus(const char* who, const std::filesystem::path& file) {
  std::vector<std::string> lines = read_lines(file);
  check(!lines.empty(), "{}: expected at least one line; got the empty file '{}'", who,
        file.string());
  return lines;
}

}  // namespace

void trim_line(std::string& line) {
  constexpr std::string_view kByteOrderMark = "\ufeff";
  if (line.ends_with('\r')) line.pop_back();
  if (line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  const OpenFile in(file);
  const std::string name = fmt::format("'{}'", file.string());
  LineReader reader(in.descriptor(), name);
  const size_t most = most_text();
  size_t held = 0;
  std::vector<std::string> lines;
  while (std::optional<std::string> line = reader.next()) {
    check_utf8(*line, name, lines.size() + 1);
    held += sizeof(std::string) + line->size();
    check(held <= most, "read: {} holds more text than half of the memory ({:.1f} GB), at line {}",
          name, 1e-9 * static_cast<double>(most), lines.size() + 1);
    lines.push_back(std::move(*line));
  }
  return lines;
}

ParallelText read_parallel(const std::filesystem::path& source,
                           const std::filesystem::path& target) {
  ParallelText text{read_corpus("read_parallel", source), read_corpus("read_parallel", target)};
  check(text.source.size() == text.target.size(),
        "read_parallel: expected files of equally many lines; got {} in '{}' and {} in '{}'",
        text.source.size(), source.string(), text.target.size(), target.string());
  return text;
}

ParallelText read_pairs(const std::filesystem::path& file) {
  ParallelText text;
  for (const std::string& line : read_corpus("read_pairs", file)) {
    const auto tabs = std::count(line.begin(), line.end(), '\t');
    check(tabs == 1, "read_pairs: expected source <tab> target; got {} tabs at line {} of '{}'",
          tabs, text.source.size() + 1, file.string());
    const size_t tab = line.find('\t');
    text.source.push_back(line.substr(0, tab));
    text.target.push_back(line.substr(tab + 1));
  }
  return text;
}

int64_t remove_empty_pairs(ParallelText& text) {
  size_t kept = 0;
  for (size_t i = 0; i < text.source.size(); ++i) {
    if (split_words(text.source[i]).empty() || split_words(text.target[i]).empty()) continue;
    std::swap(text.source[kept], text.source[i]);
    std::swap(text.target[kept++], text.target[i]);
  }
  const size_t removed = text.source.size() - kept;
  text.source.resize(kept);
  text.target.resize(kept);
  return static_cast<int64_t>(removed);
}

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

std::string read_file(const std::filesystem::path& file) {
  const OpenFile in(file);
  std::string bytes;
  std::array<char, 65536> chunk;
  for (ssize_t n = 1; n != 0;) {
    n = ::read(in.descriptor(), chunk.data(), chunk.size());
    check(n >= 0 || errno == EINTR, "read: cannot read '{}' beyond byte {}: {}", file.string(),
          bytes.size(), std::strerror(errno));
    if (n > 0) bytes.append(chunk.data(), static_cast<size_t>(n));
  }
  return bytes;
}

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  AtomicFile out("write", file.string());
  out.write(bytes.data(), bytes.size());
  out.commit();
}

}  // namespace weft
