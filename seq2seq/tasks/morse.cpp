// Morse code (ITU-R M.1677-1) of letters and digits, and back: a space between letters, " / "
// between words.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>

namespace weft {
namespace {

constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::array<std::string_view, 36> kCodes{
    ".-",    "-...",  "-.-.",  "-..",   ".",     "..-.",  "--.",   "....",  "..",
    ".---",  "-.-",   ".-..",  "--",    "-.",    "---",   ".--.",  "--.-",  ".-.",
    "...",   "-",     "..-",   "...-",  ".--",   "-..-",  "-.--",  "--..",  "-----",
    ".----", "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----."};
// Held-out sources are drawn first: of texts of a single character none would be left to train on.
constexpr int64_t kMostWords = 2, kShortestWord = 2, kLongestWord = 5;

std::string draw_text(Generator& generator) {
  std::string text;
  for (int64_t words = 1 + generator.below(kMostWords); words > 0; --words) {
    if (!text.empty()) text += ' ';
    int64_t left = kShortestWord + generator.below(kLongestWord - kShortestWord + 1);
    for (; left > 0; --left)
      text += kCharacters[static_cast<size_t>(generator.below(std::ssize(kCharacters)))];
  }
  return text;
}

std::string morse_of(const std::string& text) {
  std::string code;
  for (const std::string_view word : split_words(text)) {
    if (!code.empty()) code += " /";
    for (const char c : word) {
      const size_t at = kCharacters.find(c);
      check(at != std::string_view::npos, "morse: must be letters a to z and digits; got '{}'",
            text);
      code += code.empty() ? "" : " ";
      code += kCodes[at];
    }
  }
  return code;
}

std::string text_of_morse(const std::string& code) {
  std::string text;
  for (const std::string_view sign : split_words(code)) {
    if (sign == "/") {
      text += ' ';
      continue;
    }
    const auto found = std::find(kCodes.begin(), kCodes.end(), sign);
    check(found != kCodes.end(), "morse-back: must be Morse code like .. / .-; got '{}'", code);
    text += kCharacters[static_cast<size_t>(found - kCodes.begin())];
  }
  return text;
}

}  // namespace

Task morse_task() {
  return drawn_task("morse", "one or two words in Morse code", draw_text, morse_of,
                    {{"epochs", "6"}});
}

Task morse_back_task() {
  return drawn_task("morse-back", "what Morse code says",
                    [](Generator& generator) { return morse_of(draw_text(generator)); },
                    text_of_morse, {{"epochs", "9"}});
}

}  // namespace weft
