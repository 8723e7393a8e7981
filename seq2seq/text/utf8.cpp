// UTF-8 text. A sequence of n bytes starts with n leading one bits; the table of well-formed
// sequences is Unicode's table 3-7.
#include <weft/seq2seq/text/utf8.h>

#include <clocale>
#include <cstdint>
#include <cwctype>

#include <weft/core/detail/check.h>

namespace weft {
namespace {

struct Decoded {
  char32_t c;
  size_t bytes;  // 0: ill-formed
};

Decoded decode_one(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const size_t n = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || s.size() < n) return {0, 0};
  char32_t c = byte(0) & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    c = (c << 6) | (byte(i) & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = c >= 0xd800 && c <= 0xdfff;
  if (c < kSmallest[n] || c > 0x10ffff || surrogate) return {0, 0};
  return {c, n};
}

// The system's table of letters; independent of the user's locale, so results never depend on it.
locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  check(locale != nullptr, "lower_case: the C library must know the locale C.UTF-8");
  return locale;
}

char32_t simple_lower(char32_t c) {
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), unicode_locale()));
}

bool is_in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

// Control characters, line separators, the marks that turn the direction of text, noncharacters.
bool is_unprintable(char32_t c) {
  return c < 0x20 || is_in(c, 0x7f, 0x9f) || is_in(c, 0x2028, 0x202e) || is_in(c, 0x2066, 0x2069) ||
         (c & 0xfffe) == 0xfffe;
}

bool is_combining(char32_t c) { return is_in(c, 0x300, 0x36f) || is_in(c, 0x200b, 0x200f); }

bool is_wide(char32_t c) {
  return is_in(c, 0x1100, 0x115f) || is_in(c, 0x2e80, 0xa4cf) || is_in(c, 0xac00, 0xd7a3) ||
         is_in(c, 0xf900, 0xfaff) || is_in(c, 0xfe30, 0xfe6f) || is_in(c, 0xff00, 0xff60) ||
         is_in(c, 0x1f300, 0x1faff) || is_in(c, 0x20000, 0x3fffd);
}

bool is_cased(char32_t c) {
  const auto upper = static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), unicode_locale()));
  return simple_lower(c) != c || upper != c;
}

// Punctuation and marks that may stand inside a word when the final sigma is looked for.
bool is_case_ignorable(char32_t c) {
  return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xad || c == 0xb7 ||
         c == 0x2019 || (c >= 0x300 && c <= 0x36f);
}

// A sigma is final if a letter comes before it and none after it.
bool is_final_sigma(std::u32string_view text, size_t i) {
  size_t before = i, after = i + 1;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return before > 0 && is_cased(text[before - 1]) &&
         (after == text.size() || !is_cased(text[after]));
}

}  // namespace

std::optional<size_t> invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = decode_one(text.substr(i)).bytes;
    if (bytes == 0) return i;
    i += bytes;
  }
  return std::nullopt;
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Decoded d = decode_one(text.substr(i));
    result += d.bytes == 0 ? U'\ufffd' : d.c;
    i += d.bytes == 0 ? 1 : d.bytes;
  }
  return result;
}

std::string encode_utf8(std::u32string_view text) {
  std::string result;
  const auto put = [&](char32_t bits) { result += static_cast<char>(bits); };
  for (const char32_t c : text) {
    if (c < 0x80) {
      put(c);
      continue;
    }
    const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    put(((0xf00u >> n) & 0xff) | (c >> (6 * (n - 1))));
    for (int i = n - 2; i >= 0; --i) put(0x80 | ((c >> (6 * i)) & 0x3f));
  }
  return result;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t start = 0;
  const auto flush = [&](size_t end) {
    if (end > start) words.push_back(text.substr(start, end - start));
  };
  words.reserve(16);
  for (size_t i = 0; i < text.size();) {
    // ASCII, the common case; as signed numbers, which char is not everywhere, other bytes are
    // negative.
    if (static_cast<signed char>(text[i]) > ' ') {
      ++i;
      continue;
    }
    const Decoded d = decode_one(text.substr(i));
    const size_t next = i + (d.bytes == 0 ? 1 : d.bytes);
    if (d.bytes != 0 && is_space(d.c)) {
      flush(i);
      start = next;
    }
    i = next;
  }
  flush(text.size());
  return words;
}

std::string with_single_spaces(std::string_view text) {
  std::string result;
  for (const std::string_view word : split_words(text)) {
    if (!result.empty()) result += ' ';
    result += word;
  }
  return result;
}

std::string lower_case(std::string_view text) {
  const std::u32string upper = decode_utf8(text);
  std::u32string lower;
  for (size_t i = 0; i < upper.size(); ++i) {
    const char32_t c = upper[i];
    if (c == U'\u0130') {
      lower += U"i\u0307";
    } else if (c == U'\u03a3') {
      lower += is_final_sigma(upper, i) ? U'\u03c2' : U'\u03c3';
    } else {
      lower += simple_lower(c);
    }
  }
  return encode_utf8(lower);
}

std::string printable(std::string_view text, size_t max_characters) {
  std::u32string characters = decode_utf8(text);
  for (char32_t& c : characters) {
    if (is_unprintable(c)) c = U'\ufffd';
  }
  if (characters.size() > max_characters) {
    characters.resize(max_characters);
    characters.back() = U'\u2026';
  }
  return encode_utf8(characters);
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (const char32_t c : decode_utf8(text)) width += is_combining(c) ? 0 : is_wide(c) ? 2 : 1;
  return width;
}

}  // namespace weft
