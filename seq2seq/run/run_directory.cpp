// A model is replaced by renaming, one file after the other. A process may die between any two of
// them: what is in new-run then tells the next one what is left to do. Meanwhile readers find files
// of two runs, which their seals tell, or the old model, or the new one.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <weft/core/atomic_file.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/models/torch_model.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/text/text_file.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace weft {
namespace {

namespace fs = std::filesystem;

// Of a run, and made after its first checkpoint or not at all.
constexpr std::array kLaterFiles{kLastCheckpoint, kFilm, kSamples, kSummary, "attention.svg"};

bool has_checkpoint(const fs::path& folder) {
  return is_there(folder / kLastCheckpoint) || is_there(folder / kBestCheckpoint);
}

void discard(const fs::path& file) {
  std::error_code error;
  fs::remove_all(file, error);
  check(!error, "train: cannot remove '{}': {}", file.string(), error.message());
}

void make(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check(!error, "train: cannot create '{}': {}", folder.string(), error.message());
}

// Of kLaterFiles, and files of events.
void discard_later(const fs::path& folder) {
  for (const char* file : kLaterFiles) discard(folder / file);
  std::vector<fs::path> events;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(kEvents)) events.push_back(entry.path());
  for (const fs::path& file : events) discard(file);
}

bool holds_nothing(const fs::path& folder) {
  std::error_code error;
  const bool empty = fs::is_empty(folder, error);
  check(!error, "train: cannot read '{}': {}", folder.string(), error.message());
  return empty;
}

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  check(!error, "train: cannot move '{}' to '{}': {}", from.string(), to.string(), error.message());
}

void flush(const fs::path& folder) { sync_folder("train", folder.string()); }

// The process that holds a lock, as it wrote into it.
std::string holder(int descriptor) {
  char digits[16] = {};
  const bool known = ::pread(descriptor, digits, sizeof digits - 1, 0) > 0;
  return known ? fmt::format(" (process {})", std::strtol(digits, nullptr, 10)) : "";
}

// A help for others: it matters not if it fails.
bool sign(int descriptor) {
  const std::string text = fmt::format("{}\n", ::getpid());
  return ::ftruncate(descriptor, 0) == 0 && ::pwrite(descriptor, text.data(), text.size(), 0) > 0;
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, RunFiles files)
    : path_(std::move(path)), folder_(path_), files_(files) {
  if (theirs() || !is_there(path_)) return;
  lock();
  try {
    recover();
  } catch (...) {
    ::close(lock_);  // the destructor of a half-made object does not run
    throw;
  }
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (!theirs() && folder_ != path_ && !has_checkpoint(folder_)) fs::remove_all(folder_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

bool RunDirectory::has_model() const {
  return has_checkpoint(path_) || has_checkpoint(path_ / kNewRun) ||
         is_there(path_ / kTorchWeights);
}

void RunDirectory::require_free() const {
  check(theirs() || !has_model(),
        "train: {} holds a model already; go on with --resume, replace it with --overwrite, "
        "or name another directory",
        path_.string());
}

void RunDirectory::go_on() {
  const fs::path next = path_ / kNewRun;
  if (is_there(next)) {
    check(has_checkpoint(next),
          "train: the run that was to replace the model of {} ended before its first checkpoint; "
          "begin it anew with --overwrite, or remove {} to go on with the run before it",
          path_.string(), next.string());
    folder_ = next;
    return;
  }
  check(has_checkpoint(path_), "train: --resume needs a checkpoint; there is none in {}",
        path_.string());
}

// Where a file system has no locks, as some over a network, it goes without.
void RunDirectory::lock() {
  const std::string file = (path_ / ".lock").string();
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  check(descriptor >= 0, "train: cannot write {}: {}", file, std::strerror(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    sign(descriptor);
    lock_ = descriptor;
    return;
  }
  const bool taken = errno == EWOULDBLOCK;
  const std::string other = taken ? holder(descriptor) : "";
  ::close(descriptor);
  check(!taken, "train: another run{} is training in {}", other, path_.string());
}

void RunDirectory::recover() {
  const fs::path unfinished = path_ / kNewRun;
  sweep_temporaries(path_.string());
  sweep_temporaries(unfinished.string());
  if (is_there(unfinished / kBestCheckpoint))
    move_in(unfinished);
  else if (is_there(unfinished) && holds_nothing(unfinished))
    discard(unfinished);  // all was moved, or nothing was begun
}

void RunDirectory::begin(bool replace_model) {
  if (theirs()) return;
  make(path_);
  if (lock_ < 0) lock();
  const bool beside = has_model();
  if (!replace_model) require_free();
  discard(path_ / kNewRun);
  folder_ = beside ? path_ / kNewRun : path_;
  make(folder_);
  flush(path_);
  discard(folder_ / kMetrics);
  discard_later(folder_);
}

bool RunDirectory::replace() {
  if (folder_ == path_ || !is_there(folder_ / kBestCheckpoint)) return false;
  move_in(std::exchange(folder_, path_));
  return true;
}

// While the metrics, the first to go, are there, nothing of the new run was moved.
void RunDirectory::move_in(const fs::path& from) const {
  if (is_there(from / kMetrics)) {
    discard_later(path_);
    move_file(from / kMetrics, path_ / kMetrics);
  }
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(from))
    if (entry.path().filename() != kBestCheckpoint) names.push_back(entry.path().filename());
  for (const fs::path& name : names) move_file(from / name, path_ / name);
  flush(path_);
  move_file(from / kBestCheckpoint, path_ / kBestCheckpoint);
  flush(path_);
  discard(from);
}

}  // namespace weft
