#include <fcntl.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/detail/check.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace weft {
namespace {

// False with errno if the disk refuses. Some file systems cannot flush a folder, and say so: their
// rename is atomic all the same.
bool flush_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool flushed = ::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return flushed;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Of this object alone: two programs, or two threads, may write the same file at once.
std::string temporary_name(const std::string& path) {
  static std::atomic<int> count{0};
  return fmt::format("{}.{}-{}.tmp", path, ::getpid(), ++count);
}

// What temporary_name() makes.
bool is_temporary(std::string_view name) {
  if (!name.ends_with(".tmp")) return false;
  name.remove_suffix(4);
  const size_t dot = name.find_last_not_of("0123456789-");
  return dot != std::string_view::npos && name[dot] == '.' && dot + 1 < name.size();
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
  const bool beside = written_ != target_;
  if (beside) {
    require(::fsync(descriptor_) == 0);
    require(std::rename(written_.c_str(), target_.c_str()) == 0);
  }
  ::close(std::exchange(descriptor_, -1));
  if (beside) sync_folder(who_, folder_of(target_));
}

void AtomicFile::require(bool ok) const {
  if (!ok) fail("{}: cannot write {}: {}", who_, path_, std::strerror(errno));
}

void sync_folder(const char* who, const std::string& folder) {
  if (!flush_folder(folder))
    fail("{}: cannot flush the folder {} to the disk: {}", who, folder, std::strerror(errno));
}

void sweep_temporaries(const char* who, const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!is_temporary(entry.path().filename().string())) continue;
    std::filesystem::remove(entry.path(), error);
    check(!error, "{}: cannot remove {}: {}", who, entry.path().string(), error.message());
  }
}

}  // namespace weft
