// What becomes of a few validation sentences as the model learns: samples.jsonl. Its first line is
// what they are, the others what a validation made of them:
//   {"step":0,"source":["the dog",...],"reference":["der Hund",...]}
//   {"step":500,"translation":["der der",...]}
#pragma once

#include <weft/seq2seq/run/line_log.h>
#include <weft/seq2seq/text/text_file.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace weft {

class SampleLog {
 public:
  static constexpr size_t kMost = 8;  ///< sentences, evenly from all of them

  /// The log of a run that was validated last at `validated_step`: later lines are cut off. Throws
  /// if the file cannot be written.
  SampleLog(const std::filesystem::path& file, const ParallelText& text, int64_t validated_step);

  /// `translations` are of all the text's sources. Throws if the line cannot be written.
  void write(int64_t step, std::span<const std::string> translations);

 private:
  std::vector<std::string> chosen(std::span<const std::string> all) const;

  size_t count_;
  bool described_ = false;  // whether the log says what the sentences are
  LineLog log_;
};

}  // namespace weft
