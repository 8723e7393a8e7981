#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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

template <class Call>
int again_if_interrupted(Call call) {
  int result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// False with errno if the disk refuses. Some file systems cannot flush a folder, and say so: their
// rename is atomic all the same.
bool flush_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool flushed = again_if_interrupted([&] { return ::fsync(descriptor); }) == 0 ||
                       errno == EINVAL || errno == ENOTSUP;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return flushed;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// Two programs, or two threads, may write the same file at once.
std::string temporary_name(const std::string& path) {
  static std::atomic<int> count{0};
  return fmt::format("{}.weft-{}-{}.tmp", path, ::getpid(), ++count);
}

bool is_temporary_name(const std::string& name) {
  const size_t mark = name.rfind(".weft-");
  return mark != std::string::npos && name.ends_with(".tmp") &&
         name.find_first_not_of("0123456789-", mark + 6) == name.size() - 4;
}

int open_to_write(const std::string& path, int flags) {
  return again_if_interrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666); });
}

// Opens a file that was not there, under a name that it returns, and locks it: until then, another
// writer may take it for a leftover. Where there are no locks, nobody removes leftovers.
int open_temporary(const std::string& path, std::string& name) {
  for (;;) {
    name = temporary_name(path);
    const int descriptor = open_to_write(name, O_EXCL);
    if (descriptor < 0 && errno == EEXIST) continue;  // of a process with the same number
    if (descriptor < 0) return descriptor;
    struct stat status {};
    if (again_if_interrupted([&] { return ::flock(descriptor, LOCK_EX); }) < 0 ||
        ::fstat(descriptor, &status) < 0 || status.st_nlink > 0)
      return descriptor;
    ::close(descriptor);
  }
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
      written_(target_),
      descriptor_(is_stream(target_) ? open_to_write(target_, O_TRUNC)
                                     : open_temporary(target_, written_)) {
  require(descriptor_ >= 0);
  if (written_ != target_) sweep_temporaries(folder_of(target_));
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
    require(again_if_interrupted([&] { return ::fsync(descriptor_); }) == 0);
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

void sweep_temporaries(const std::string& folder) {
  std::error_code error;  // what cannot be looked through stays as it is
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_temporary_name(entry->path().filename().string())) continue;
    const int descriptor = ::open(entry->path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    ::close(descriptor);
  }
}

}  // namespace weft
