#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace weft {
namespace {

constexpr size_t kWordsShown = 5, kCharactersShown = 40;

std::string list(const std::vector<std::string>& words) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(kWordsShown, words.size()); ++i)
    shown.push_back(fmt::format("'{}'", printable(words[i], kCharactersShown)));
  if (words.size() > kWordsShown)
    shown.push_back(fmt::format("{} more", words.size() - kWordsShown));
  return fmt::format("{}", fmt::join(shown, ", "));
}

[[noreturn]] void cannot_print(int reason) {
  if (reason == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  fail("standard output cannot be written: {}", std::strerror(reason));
}

bool is_writable(int descriptor) {
  pollfd wanted{descriptor, POLLOUT, 0};
  return poll(&wanted, 1, 0) != 0;
}

}  // namespace

void print(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (n >= 0)
      at += static_cast<size_t>(n);
    else if (errno == EINTR)
      throw_if_interrupted();
    else
      cannot_print(errno);
  }
}

// Who was interrupted does not wait for a reader who does not read.
void warn(const std::string& line) {
  if (interrupting_signal() != 0 && !is_writable(STDERR_FILENO)) return;
  const std::string text = line + '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

std::vector<std::string> warnings(const Vocabulary& vocabulary, const std::string& sentence) {
  std::vector<std::string> found;
  if (is_too_long(vocabulary, sentence))
    found.push_back(fmt::format("only its first {} ids are translated", kLongestSource - 1));
  if (const auto words = unknown_words(vocabulary, sentence); !words.empty())
    found.push_back(fmt::format("unknown to the model: {}", list(words)));
  return found;
}

}  // namespace weft
