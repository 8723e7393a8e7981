// A file that a run appends lines of JSON to as it goes on.
#pragma once

#include <weft/seq2seq/text/json.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace weft {

/// Every line reaches the system at once. Numbers that are not finite are written as null.
class LineLog {
 public:
  /// Goes on with the lines that are there and that `keeps` is true of; others, and what a crash
  /// cut off, are gone. Throws if the file cannot be opened.
  LineLog(const std::filesystem::path& file, const std::function<bool(const JsonObject&)>& keeps);

  /// Throws if the line cannot be written (a full disk); half a line does not stay.
  void write(const JsonObject& line);

 private:
  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace weft
