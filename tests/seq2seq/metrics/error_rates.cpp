#include <weft/seq2seq/metrics/ter.h>
#include <weft/seq2seq/metrics/word_error_rate.h>
#include <weft/tests/catch.h>

#include <algorithm>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {

double wer(const std::string& hypothesis, const std::string& reference) {
  return word_error_rate(Lines{hypothesis}, Lines{reference});
}

// By the definition: the cheapest way to treat the first characters, then the rest.
int64_t edits(const std::string& from, const std::string& to) {
  if (from.empty() || to.empty()) return std::ssize(from) + std::ssize(to);
  const std::string f = from.substr(1), t = to.substr(1);
  return std::min({edits(f, t) + (from[0] != to[0]), edits(f, to) + 1, edits(from, t) + 1});
}

std::string spaced(const std::string& letters) {
  std::string words;
  for (const char c : letters) words += {c, ' '};
  return words;
}

}  // namespace

TEST_CASE("the word error rate counts insertions, deletions and replacements") {
  CHECK(wer("a b c", "a b c") == 0);
  CHECK(wer("a x c d", "a b c d") == 25);
  CHECK(wer("a c d", "a b c d") == 25);
  CHECK(wer("a b x c d", "a b c d") == 25);
  CHECK(wer("b c d a", "a b c d") == 50);  // a move is two edits
  CHECK(wer("x y z u v w", "a b") == 300);
  CHECK(wer("k IH t AH n", "s IH t IH ng") == 60);                       // phonemes
  CHECK(wer("A b", "a b") == 50);                                        // case matters
  CHECK(word_error_rate(Lines{"a b", "c"}, Lines{"a x", "c d"}) == 50);  // over all words
}

TEST_CASE("the word error rate equals the definition") {
  const Lines all{"", "a", "b", "ab", "ba", "aab", "abc", "cab", "bacab", "abcabc", "ccbba"};
  for (const std::string& from : all)
    for (const std::string& to : all) {
      INFO(from << " " << to);
      CHECK(word_error_counts(spaced(from), spaced(to)) ==
            Counts{static_cast<double>(edits(from, to)), static_cast<double>(to.size())});
    }
}

TEST_CASE("error rates of references without words") {
  for (const auto rate : {word_error_rate, ter}) {
    CHECK(rate(Lines{""}, Lines{""}) == 0);
    CHECK(rate(Lines{"a b"}, Lines{" "}) == 100);
    CHECK(rate(Lines{"a b", "c d"}, Lines{" ", "c d"}) == 100);
    CHECK(rate(Lines{"", "c d"}, Lines{"", "c d"}) == 0);
  }
}

TEST_CASE("a moved run of words is one edit of TER") {
  CHECK(ter_counts("d e f g h a b c", "a b c d e f g h") == Counts{1, 8});
  CHECK(ter_counts("b a d c f e", "a b c d e f") == Counts{3, 6});
  CHECK(ter_counts("D E f a B c", "a b c d e f") == Counts{1, 6});  // in lower case
  CHECK(ter_counts("x d e f a b c", "a b c d e f") == Counts{2, 6});
  CHECK(ter_counts("dddd eeee ffff", "aaaa bbbb cccc") == Counts{3, 3});
}

TEST_CASE("lines that edits would be counted of for hours are errors") {
  std::string line;
  for (int64_t i = 0; i < kMostWords; ++i) line += "a ";
  CHECK(ter_counts("b", line) == Counts{20000, 20000});
  CHECK(word_error_counts(line, "b") == Counts{20000, 1});
  line += "a";
  CHECK(
      message_of([&] { word_error_counts(line, "b"); }) ==
      "word_error_rate: a line may have at most 20000 words, as longer ones would take hours; got "
      "a hypothesis of 20001 and a reference of 1");
  CHECK(message_of([&] { ter(Lines{"b c"}, Lines{line}); }) ==
        "ter: a line may have at most 20000 words, as longer ones would take hours; got a "
        "hypothesis of 2 and a reference of 20001");
}

TEST_CASE("error rates need sentences, and one reference for each") {
  CHECK(message_of([] { ter(Lines{}, Lines{}); }) ==
        "ter: needs sentences and one reference for each; got 0 hypotheses and 0 references");
  CHECK(message_of([] { word_error_rate(Lines{"a"}, Lines{}); }) ==
        "word_error_rate: needs sentences and one reference for each; got 1 hypotheses and 0 "
        "references");
}
