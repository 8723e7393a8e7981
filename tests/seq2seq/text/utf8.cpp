#include <weft/seq2seq/text/utf8.h>
#include <weft/tests/catch.h>

using namespace weft;
using Words = std::vector<std::string_view>;

TEST_CASE("utf8: well-formed text passes and round-trips") {
  const std::string text = "a\u00e4\u20ac\U0001f600\x7f";
  CHECK(!invalid_utf8(text));
  CHECK(decode_utf8(text) == U"a\u00e4\u20ac\U0001f600\x7f");
  CHECK(encode_utf8(decode_utf8(text)) == text);
  CHECK(!invalid_utf8(""));
  CHECK(!invalid_utf8(std::string("a\0b", 3)));
  CHECK(!invalid_utf8("\xf4\x8f\xbf\xbf"));  // U+10FFFF
}

TEST_CASE("utf8: ill-formed sequences are found where they start") {
  CHECK(invalid_utf8("ab\xff") == 2u);
  CHECK(invalid_utf8("\x80") == 0u);
  CHECK(invalid_utf8("a\xc3") == 1u);                 // cut short
  CHECK(invalid_utf8("\xc0\xaf") == 0u);              // overlong '/'
  CHECK(invalid_utf8("\xe0\x80\xaf") == 0u);          // overlong
  CHECK(invalid_utf8("\xed\xa0\x80") == 0u);          // surrogate
  CHECK(invalid_utf8("\xf4\x90\x80\x80") == 0u);      // above U+10FFFF
  CHECK(invalid_utf8("\xf8\x88\x80\x80\x80") == 0u);  // five bytes
  CHECK(decode_utf8("a\xff"
                    "b") == U"a\ufffdb");
}

TEST_CASE("utf8: words are split at any Unicode white space") {
  CHECK(split_words(" a\tb\u00a0\u2003c ") == Words{"a", "b", "c"});
  CHECK(split_words("").empty());
  CHECK(split_words(" \u3000").empty());
  CHECK(split_words("a\u200b"
                    "b") == Words{"a\u200b"
                                  "b"});  // zero width space is none
}

TEST_CASE("utf8: lower case knows the final sigma and the dotted I") {
  CHECK(lower_case("ÄÖÜ ẞ ΑΣ ΣΑ Σ") == "äöü ß ας σα σ");
  CHECK(lower_case("ΑΣ'Α ΑΣ.") == "ασ'α ας.");
  CHECK(lower_case("\u0130") == "i\u0307");
}

TEST_CASE("utf8: text for display holds nothing that steers, and is cut at a character") {
  CHECK(printable("a\x1b[1m\u202e\n", 20) == "a\ufffd[1m\ufffd\ufffd");
  CHECK(printable("\u00e4\u00e4\u00e4\u00e4", 4) == "\u00e4\u00e4\u00e4\u00e4");
  CHECK(printable("\u00e4\u00e4\u00e4\u00e4", 3) == "\u00e4\u00e4\u2026");
  CHECK(display_width("ab\u65e5e\u0301") == 5);
}
