// The seal of a model directory's text files: the id of the run that wrote them, which all files of
// a directory share, and a checksum (core/checksum.h) of all the rest.
//
//   {..., "run": "5f2a90c1d7e8b364", "crc32c": "89abcdef"}      JSON
//   # run 5f2a90c1d7e8b364, crc32c 89abcdef                     the last line of TOML
#pragma once

#include <weft/seq2seq/text/json.h>

#include <string>

namespace weft {

/// A random id of 16 hexadecimal digits.
std::string new_run_id();

/// The fields as text, and the seal. An empty `run`, of files that were saved without one, is left
/// out.
std::string seal_json(JsonObject fields, const std::string& run);
/// Takes the seal out of the fields and returns the run. Throws if they are not what was sealed.
/// Without a seal, as in files of a weft that had none, they pass, and the run is "".
std::string open_seal(JsonObject& fields);

/// The same for lines of TOML.
std::string seal_toml(const std::string& lines, const std::string& run);
std::string open_seal(const std::string& toml);

/// Throws unless `run`, that of `file`, is `expected`, that of `other`.
void check_same_run(const std::string& file, const std::string& run, const std::string& other,
                    const std::string& expected);

}  // namespace weft
