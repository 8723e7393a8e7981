// The numbers of metrics.jsonl as TensorBoard reads them: a file of events, each a record
//   length (8 bytes), masked CRC-32C of them (4), event (length bytes), masked CRC-32C of it (4)
// little-endian, where an event is a protocol buffer of which six fields are enough:
//   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
//             SessionLog session_log = 7; }
//   Summary { repeated Value { string tag = 1; float simple_value = 2; } value = 1; }
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {

/// Numbers by their names.
using Scalars = std::vector<std::pair<std::string, double>>;

/// Writes a file of its own, beside those of the runs before it; each record reaches the system at
/// once. Numbers that are not finite stay what they are.
class EventFile {
 public:
  /// Creates events.out.tfevents.SECONDS.weft in the folder. The name's seconds are those since
  /// 1970, or more where a file of the folder has them or later ones already: readers go by names.
  /// It says that a run begins, or goes on, after `step`, by which TensorBoard drops what files
  /// before it have of later steps. Throws if the file cannot be created or written.
  EventFile(const std::filesystem::path& folder, int64_t step);

  /// Throws if the record cannot be written (a full disk).
  void write(int64_t step, const Scalars& scalars);

 private:
  void write_event(int64_t step, std::string_view fields);

  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace weft
