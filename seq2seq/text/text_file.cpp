// Reading text, with errors that name the file and the line.
#include <weft/core/atomic_file.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace weft {
namespace {

void check_utf8(const std::string& line, const std::string& name, size_t number) {
  if (const auto at = invalid_utf8(line)) {
    fail("read: expected UTF-8; got byte 0x{:02x} at line {}, byte {} of '{}'",
         static_cast<unsigned char>(line[*at]), number, *at + 1, name);
  }
}

std::ifstream open(const std::filesystem::path& file) {
  std::error_code ignored;  // the stream knows more
  check(!std::filesystem::is_directory(file, ignored),
        "read: expected a file; got the directory '{}'", file.string());
  std::ifstream in(file, std::ios::binary);
  check(in.is_open(), "read: cannot open '{}': {}", file.string(), std::strerror(errno));
  return in;
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

std::vector<std::string> read_lines(std::istream& in, const std::string& name) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    trim_line(line);
    check_utf8(line, name, lines.size() + 1);
    lines.push_back(std::move(line));
  }
  check(!in.bad(), "read: cannot read '{}' beyond line {}", name, lines.size());
  return lines;
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::ifstream in = open(file);
  return read_lines(in, file.string());
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

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in = open(file);
  std::string bytes;
  for (std::array<char, 65536> chunk; in;) {
    in.read(chunk.data(), chunk.size());
    bytes.append(chunk.data(), static_cast<size_t>(in.gcount()));
  }
  check(!in.bad(), "read: cannot read '{}' beyond byte {}", file.string(), bytes.size());
  return bytes;
}

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  AtomicFile out("write", file.string());
  out.write(bytes.data(), bytes.size());
  out.commit();
}

}  // namespace weft
