// A file that appears whole or not at all: it is written beside its target, flushed and renamed.
#pragma once

#include <cstddef>
#include <string>

namespace weft {

/// Writes a file of its own beside `path`; commit() puts it in the place of `path`. Without a
/// commit (an exception, a crash) what was at `path` stays as it was; what a crash leaves behind,
/// the next AtomicFile in that folder removes. Every failure is an Error
/// that names the path: `save: cannot write model.safetensors: No space left on device`. Where
/// `path` is a link, what it leads to is replaced; a terminal, a pipe or a device is written
/// directly.
class AtomicFile {
 public:
  /// `who` starts the error messages and must outlive the object.
  AtomicFile(const char* who, std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t n);
  /// Flushes file and folder to the disk, so that the new contents survive a power cut. Where only
  /// the folder cannot be flushed, the Error says so and the new file is there.
  void commit();

 private:
  void require(bool ok) const;

  const char* who_;
  std::string path_;
  std::string target_;   // where the links of path_ lead
  std::string written_;  // beside the target until commit(), or the target itself
  int descriptor_;
};

/// Flushes to the disk which files a folder has. An Error if the disk refuses.
void sync_folder(const char* who, const std::string& folder);

/// Removes what writers that died before their commit() left in a folder. Who still writes there
/// holds a lock on his file, and keeps it.
void sweep_temporaries(const std::string& folder);

}  // namespace weft
