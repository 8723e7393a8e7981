#include <fcntl.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/detail/check.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weft {
namespace {

// Some file systems cannot flush a folder; the rename is atomic there all the same.
void flush_folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

// Of this object alone: two programs, or two threads, may write the same file at once.
std::string temporary_name(const std::string& path) {
  static std::atomic<int> count{0};
  return fmt::format("{}.{}-{}.tmp", path, ::getpid(), ++count);
}

// Links are followed, so that they stay links.
std::string target_of(const std::string& path) {
  std::error_code ignored;  // a link that leads nowhere is replaced
  const std::filesystem::path target = std::filesystem::is_symlink(path, ignored)
                                           ? std::filesystem::canonical(path, ignored)
                                           : std::filesystem::path();
  return target.empty() ? path : target.string();
}

// A terminal, a pipe or a device: nothing may be put in its place.
bool is_stream(const std::string& path) {
  std::error_code ignored;  // opening it will tell
  return std::filesystem::is_other(path, ignored);
}

}  // namespace

AtomicFile::AtomicFile(const char* who, std::string path)
    : who_(who),
      path_(std::move(path)),
      target_(target_of(path_)),
      written_(is_stream(target_) ? target_ : temporary_name(target_)),
      descriptor_(::open(written_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  require(descriptor_ >= 0);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (written_ != target_) ::unlink(written_.c_str());
}

void AtomicFile::write(const void* bytes, size_t n) {
  const char* from = static_cast<const char*>(bytes);
  while (n > 0) {
    const ssize_t written = ::write(descriptor_, from, n);
    if (written < 0 && errno == EINTR) continue;
    require(written >= 0);
    from += written;
    n -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (written_ != target_) {
    require(::fsync(descriptor_) == 0);
    require(std::rename(written_.c_str(), target_.c_str()) == 0);
    flush_folder_of(target_);
  }
  ::close(std::exchange(descriptor_, -1));
}

void AtomicFile::require(bool ok) const {
  if (!ok) fail("{}: cannot write {}: {}", who_, path_, std::strerror(errno));
}

}  // namespace weft
