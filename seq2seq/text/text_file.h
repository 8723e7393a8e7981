// Reading text, one sentence a line, UTF-8, lines end with LF or CRLF, packed with gzip or not; and
// writing small files whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace weft {

/// Sentence i of `source` and sentence i of `target` say the same.
struct ParallelText {
  std::vector<std::string> source, target;
};

/// Takes from a line what is not its text: the CR of a CRLF, and a byte-order mark before it (also
/// where files were joined, so that one stands before a line in the middle).
void trim_line(std::string& line);

/// The lines of a file without their ends; a last line without an end counts. NUL and other control
/// characters are ordinary characters. A file of gzip data is that of the text in them
/// (byte_reader.h). Throws if it cannot be read; on invalid UTF-8, with the file, the line and the
/// byte; on a line longer than LineReader::kLongest; and if the text fills half of the memory.
std::vector<std::string> read_lines(const std::filesystem::path& file);

/// Two files of equally many lines. Throws on an empty file and on counts that differ.
ParallelText read_parallel(const std::filesystem::path& source,
                           const std::filesystem::path& target);

/// One file, a source <tab> its target a line. Throws on an empty file, and on a line without a tab
/// or with more than one.
ParallelText read_pairs(const std::filesystem::path& file);

/// Removes the pairs of which a side has no word; how many there were.
int64_t remove_empty_pairs(ParallelText& text);

/// Whether there is such a file; of one that cannot be looked at: no.
bool is_there(const std::filesystem::path& file);

/// The bytes of a file, as they are. Throws if it cannot be read.
std::string read_file(const std::filesystem::path& file);

/// Replaces `file` by one with these bytes: written beside it, flushed to the disk and renamed, so
/// that a crash or a full disk leaves the old file. Throws with the system's reason.
void write_file(const std::filesystem::path& file, const std::string& bytes);

}  // namespace weft
