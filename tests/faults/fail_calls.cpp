// A library to preload (LD_PRELOAD) that counts a program's calls into the system for files and
// streams, and lets one of them fail.
//
//   WEFT_FAULT="17 ENOSPC"     the 17th call fails so; "17+ ENOSPC": that one and all that write
//                              after it, as on a full disk
//   WEFT_FAULT="17 SHORT"      it reads or writes half of what it was asked for
//   WEFT_FAULT="17 KILL"       the process is killed before it
//   WEFT_FAULT="17 SLOW"       it takes half a minute, whatever signals come
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
#include <ctime>

// The headers that declare what is defined here would demand their own exception specifications.
extern "C" {
long syscall(long number, ...);
struct _IO_FILE;
struct sockaddr;
struct pollfd;
}

namespace {

// kMove: moves bytes without a disk; kFlush: writes, but never in halves; kOpen: is interrupted,
// and moves nothing; kOther: is never interrupted.
enum class Call { kMove, kWrite, kOpen, kFlush, kOther };

constexpr int kNone = -1, kShort = -2, kKill = -3, kSlow = -4;
constexpr timespec kSlowly{30, 0};

struct Error {
  const char* name;
  int number;
};
constexpr Error kErrors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},      {"EACCES", EACCES},
                             {"EINTR", EINTR},   {"SHORT", kShort}, {"KILL", kKill},
                             {"SLOW", kSlow}};

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
  if (p.error == kShort && call != Call::kMove && call != Call::kWrite) return kNone;
  if (!g_failed) write_log(name);
  g_failed = true;
  if (p.error == kKill) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  if (p.error != kSlow) return p.error;
  for (timespec rest = kSlowly; nanosleep(&rest, &rest) != 0;) {
  }
  return kNone;
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
      Call::kMove, "read", -1, [=](auto real) { return real(d, to, half_of(n)); }, d, to, n);
}
ssize_t pread(int d, void* to, size_t n, off_t from) {
  return transfer<ssize_t>(
      Call::kMove, "pread", -1, [=](auto real) { return real(d, to, half_of(n), from); }, d, to, n,
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

int socket(int domain, int type, int protocol) {
  return call<int>(Call::kOther, "socket", -1, domain, type, protocol);
}
int bind(int d, const sockaddr* to, unsigned n) {
  return call<int>(Call::kOther, "bind", -1, d, to, n);
}
int listen(int d, int waiting) { return call<int>(Call::kOther, "listen", -1, d, waiting); }
int getsockname(int d, sockaddr* name, unsigned* n) {
  return call<int>(Call::kOther, "getsockname", -1, d, name, n);
}
int accept(int d, sockaddr* from, unsigned* n) {
  return call<int>(Call::kOpen, "accept", -1, d, from, n);
}
int poll(pollfd* wanted, unsigned long n, int milliseconds) {
  return call<int>(Call::kOpen, "poll", -1, wanted, n, milliseconds);
}
ssize_t recv(int d, void* to, size_t n, int flags) {
  return transfer<ssize_t>(
      Call::kMove, "recv", -1, [=](auto real) { return real(d, to, half_of(n), flags); }, d, to, n,
      flags);
}
ssize_t send(int d, const void* from, size_t n, int flags) {
  return transfer<ssize_t>(
      Call::kMove, "send", -1, [=](auto real) { return real(d, from, half_of(n), flags); }, d, from,
      n, flags);
}
}
