#include <weft/core/detail/check.h>
#include <weft/seq2seq/program/detail/output.h>

#include <cstdio>

namespace weft {

void print(const std::string& text) {
  const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  check(written == text.size() && std::fflush(stdout) == 0 && !std::ferror(stdout),
        "standard output cannot be written");
}

}  // namespace weft
