// A library to preload (LD_PRELOAD) that counts a program's calls into the system for files and
// streams, and lets one of them fail.
//
//   WEFT_FAULT="17 ENOSPC"     the 17th call fails so; "17+ ENOSPC": that one and all that write
//                              after it, as on a full disk
//   WEFT_FAULT="17 SHORT"      it reads or writes half of what it was asked for
//   WEFT_FAULT="17 KILL"       the process is killed before it
//   WEFT_FAULT_LOG=FILE        where to write the name of the call that failed; of all calls, a
//                              line for each, if none is to fail
//
// EINTR only befalls calls that may be interrupted; other calls go on as usual.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

// The headers that declare what is defined here would demand their own exception specifications.
extern "C" {
long syscall(long number, ...);
struct _IO_FILE;
}

namespace {

// kFlush: what writes, but never in halves; kOther: what is never interrupted.
enum class Call { kRead, kWrite, kOpen, kFlush, kOther };

constexpr int kNone = -1, kShort = -2, kKill = -3;

struct Error {
  const char* name;
  int number;
};
constexpr Error kErrors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},      {"EACCES", EACCES},
                             {"EINTR", EINTR},   {"SHORT", kShort}, {"KILL", kKill}};

// Files are opened with AT_FDCWD; -100 on Linux.
constexpr int kHere = -100, kWriteOnly = 1, kCreate = 0100, kAppend = 02000;

void write_log(const char* name) {
  const char* file = std::getenv("WEFT_FAULT_LOG");
  if (!file) return;
  const long d = syscall(SYS_openat, kHere, file, kWriteOnly | kCreate | kAppend, 0666);
  char line[32] = {};
  std::strncpy(line, name, sizeof line - 2);
  line[std::strlen(line)] = '\n';
  syscall(SYS_write, d, line, std::strlen(line));
  syscall(SYS_close, d);
}

struct Plan {
  long at = 0;
  bool stays = false;
  int error = kNone;

  Plan() {
    const char* text = std::getenv("WEFT_FAULT");
    if (!text) return;
    char* end = nullptr;
    at = std::strtol(text, &end, 10);
    stays = *end == '+';
    const char* name = std::strrchr(text, ' ');
    for (const Error& e : kErrors)
      if (name && std::strcmp(name + 1, e.name) == 0) error = e.number;
  }
};

const Plan& plan() {
  static const Plan the_plan;
  return the_plan;
}

long g_count = 0;
bool g_failed = false;

// What is to befall this call: an error number, kShort, or kNone.
int fate(Call call, const char* name) {
  const Plan& p = plan();
  if (p.at == 0) write_log(name);
  const long n = __atomic_add_fetch(&g_count, 1, __ATOMIC_RELAXED);
  const bool later = p.stays && n > p.at && (call == Call::kWrite || call == Call::kFlush);
  if (n != p.at && !later) return kNone;
  if (p.error == EINTR && call == Call::kOther) return kNone;
  if (p.error == kShort && call != Call::kRead && call != Call::kWrite) return kNone;
  if (!g_failed) write_log(name);
  g_failed = true;
  if (p.error == kKill) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  return p.error;
}

// Calls what the program would have called; or, if the call is to fail, gives `failed`.
template <class R, class... Args>
R call(Call kind, const char* name, R failed, Args... args) {
  using Function = R (*)(Args...);
  const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  const int error = fate(kind, name);
  if (error == kNone) return real(args...);
  errno = error;
  return failed;
}

// The same of one that moves `n` bytes; half(real) does half of it.
template <class R, class Half, class... Args>
R transfer(Call kind, const char* name, R failed, Half half, Args... args) {
  using Function = R (*)(Args...);
  const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  const int error = fate(kind, name);
  if (error == kNone) return real(args...);
  if (error == kShort) return half(real);
  errno = error;
  return failed;
}

size_t half_of(size_t n) { return n > 1 ? n / 2 : n; }

unsigned mode_of(int flags, va_list& rest) {
  return (flags & kCreate) != 0 ? va_arg(rest, unsigned) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = mode_of(flags, rest);
  va_end(rest);
  return call<int>(Call::kOpen, "open", -1, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = mode_of(flags, rest);
  va_end(rest);
  return call<int>(Call::kOpen, "open64", -1, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = mode_of(flags, rest);
  va_end(rest);
  return call<int>(Call::kOpen, "openat", -1, folder, path, flags, mode);
}
_IO_FILE* fopen(const char* path, const char* mode) {
  return call<_IO_FILE*>(Call::kOpen, "fopen", nullptr, path, mode);
}
_IO_FILE* fopen64(const char* path, const char* mode) {
  return call<_IO_FILE*>(Call::kOpen, "fopen64", nullptr, path, mode);
}

ssize_t read(int d, void* to, size_t n) {
  return transfer<ssize_t>(
      Call::kRead, "read", -1, [=](auto real) { return real(d, to, half_of(n)); }, d, to, n);
}
ssize_t pread(int d, void* to, size_t n, off_t from) {
  return transfer<ssize_t>(
      Call::kRead, "pread", -1, [=](auto real) { return real(d, to, half_of(n), from); }, d, to, n,
      from);
}
ssize_t write(int d, const void* from, size_t n) {
  return transfer<ssize_t>(
      Call::kWrite, "write", -1, [=](auto real) { return real(d, from, half_of(n)); }, d, from, n);
}
ssize_t writev(int d, const void* parts, int n) {  // a half: the first of two
  return transfer<ssize_t>(
      Call::kWrite, "writev", -1, [=](auto real) { return real(d, parts, 1); }, d, parts, n);
}
size_t fwrite(const void* from, size_t size, size_t n, _IO_FILE* file) {
  return call<size_t>(Call::kFlush, "fwrite", 0, from, size, n, file);
}
int fflush(_IO_FILE* file) { return call<int>(Call::kFlush, "fflush", -1, file); }

int fsync(int d) { return call<int>(Call::kFlush, "fsync", -1, d); }
int rename(const char* from, const char* to) {
  return call<int>(Call::kOther, "rename", -1, from, to);
}
int mkdir(const char* path, unsigned mode) {
  return call<int>(Call::kOther, "mkdir", -1, path, mode);
}
int unlink(const char* path) { return call<int>(Call::kOther, "unlink", -1, path); }
int remove(const char* path) { return call<int>(Call::kOther, "remove", -1, path); }
int truncate(const char* path, off_t n) { return call<int>(Call::kOther, "truncate", -1, path, n); }
int ftruncate(int d, off_t n) { return call<int>(Call::kOther, "ftruncate", -1, d, n); }
int flock(int d, int operation) { return call<int>(Call::kFlush, "flock", -1, d, operation); }
}
