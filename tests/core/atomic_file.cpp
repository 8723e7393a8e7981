// Files that appear whole: what is flushed, and what writers leave that died.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <cerrno>
#include <set>

using namespace weft;

namespace {

int g_folder_error = 0;  // what the disk says when a folder is to be flushed

bool is_folder(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

std::string message_with(int error, const std::filesystem::path& file) {
  g_folder_error = error;
  const std::string message = message_of([&] {
    AtomicFile out("test", file);
    out.write("new", 3);
    out.commit();
  });
  g_folder_error = 0;
  return message;
}

}  // namespace

// In the place of the C library's, for the whole of this program.
extern "C" int fsync(int descriptor) {
  if (g_folder_error != 0 && is_folder(descriptor)) {
    errno = g_folder_error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

TEST_CASE("a folder that the disk does not flush is an error, one that cannot be flushed is not") {
  const TempDir dir;
  const std::string start =
      "test: cannot flush the folder " + (dir / "").string() + " to the disk: ";
  CHECK(message_with(EIO, dir / "f") == start + "Input/output error");
  CHECK(dir.read("f") == "new");
  CHECK(message_with(ENOSPC, dir / "f") == start + "No space left on device");
  CHECK(message_with(EINVAL, dir / "f").empty());
  CHECK(message_with(0, dir / "f").empty());
}

TEST_CASE("what writers left that died is swept by the next, and nothing else") {
  const TempDir dir;
  for (const char* name : {"f.weft-123-1.tmp", "m.safetensors.weft-7-22.tmp", "f.tmp",
                           "f.123-1.tmp", "f.weft-1-2", ".weft-1-2.tmp.txt", "f.weft-x1-2.tmp"})
    dir.write(name, "text");
  AtomicFile living("test", dir / "g"), next("test", dir / "f");
  next.commit();
  living.commit();
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    left.insert(entry.path().filename().string());
  CHECK(left == std::set<std::string>{"f", "g", "f.tmp", "f.123-1.tmp", "f.weft-1-2",
                                      ".weft-1-2.tmp.txt", "f.weft-x1-2.tmp"});
}
