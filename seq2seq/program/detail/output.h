// What the subcommands share.
#pragma once

#include <weft/seq2seq/text/vocabulary.h>

#include <string>
#include <vector>

namespace weft {

/// Writes to standard output at once. Throws if it cannot be written, as on a full disk, and
/// Interrupted if a signal comes while it waits for its reader (run/interrupt.h); where nobody
/// reads it any more, the program ends by SIGPIPE, as others do.
void print(const std::string& text);

/// What takes a text for the user, as print() does.
using Tell = void (*)(const std::string& text);

/// Writes a line to standard error. Whether that can be written changes nothing.
void warn(const std::string& line);

/// What a user should know of a sentence before it is translated: that only its beginning is, that
/// the model does not know these of its words.
std::vector<std::string> warnings(const Vocabulary& vocabulary, const std::string& sentence);

}  // namespace weft
