#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>

using namespace weft;
using Ids = std::vector<int64_t>;
using Lines = std::vector<std::string>;

namespace {
const Lines kText{"the old man sees the old house .",
                  "der alte Mann sieht das alte Haus .",
                  "the woman does not see the small house .",
                  "die Frau sieht das kleine Haus nicht .",
                  "a man who sees a woman .",
                  "ein Mann , der eine Frau sieht ."};

std::unique_ptr<Vocabulary> subwords() { return train_subwords(kText, 60); }

// A damaged file: what load_vocabulary says about it, without the folder's name.
std::string complaint(const std::string& json) {
  const TempDir dir;
  dir.write("vocabulary.json", json);
  std::string message = message_of([&] { load_vocabulary(dir.path()); });
  const std::string folder = dir.path().string() + "/";
  const size_t at = message.find(folder);
  return at == std::string::npos ? message : message.erase(at, folder.size());
}
}  // namespace

TEST_CASE("words: ids follow the sorted words after the specials") {
  const auto v = word_vocabulary(Lines{"b a", "c a"});
  CHECK(v->size() == 7);
  CHECK(v->encode("a  b c d") == Ids{4, 5, 6, kUnknown});
  CHECK(v->decode(Ids{kBegin, 6, 4, kUnknown, kEnd, kPad}) == "c a \u2047");
  CHECK(v->encode("").empty());
  CHECK(v->piece(5) == "b");
  CHECK(v->piece(kEnd) == "</s>");
}

TEST_CASE("subwords: the text survives the round trip, runs of blanks become one") {
  const auto v = subwords();
  CHECK(v->size() == 60);
  for (const std::string& line : kText) CHECK(v->decode(v->encode(line)) == line);
  CHECK(v->decode(v->encode("  the   man ")) == "the man");
  CHECK(v->encode("").empty());
  CHECK(v->decode(Ids{}).empty());
}

TEST_CASE("unknown words are named once each; where tokens are characters, these") {
  const Lines text{"ab cd"};
  const std::string asked = "ab xy cd xy ax";
  CHECK(unknown_words(*word_vocabulary(text), asked) == Lines{"xy", "ax"});
  CHECK(unknown_words(*subwords(), "the xyz man") == Lines{"xyz"});
  CHECK(unknown_words(*character_vocabulary(text), asked) == Lines{"x", "y"});
  CHECK(unknown_words(*character_vocabulary(Lines{"abcd"}), "ab cd") == Lines{" "});
  CHECK(unknown_words(*word_vocabulary(text), "").empty());
  CHECK(unknown_words(*word_vocabulary(text), "a\xff") == Lines{"a\xff"});
}

TEST_CASE("every white space separates words, and is no letter of any") {
  const std::string text = "the\told\u00a0man\u2003sees\u3000a\u202fhouse\r";
  const std::string plain = "the old man sees a house";
  for (const auto& v : {subwords(), word_vocabulary(kText)}) {
    CHECK(v->encode(text) == v->encode(plain));
    CHECK(v->decode(v->encode(text)) == plain);
  }
  Lines spaced = kText;
  for (std::string& line : spaced) {
    std::string with;
    for (const char c : line) with += c == ' ' ? "\t\u00a0" : std::string(1, c);
    line = with;
  }
  const auto learnt = train_subwords(spaced, 60), expected = subwords();
  for (int64_t id = 0; id < 60; ++id) CHECK(learnt->piece(id) == expected->piece(id));
}

TEST_CASE("subwords: frequent words are one piece, unseen characters are unknown") {
  const auto v = subwords();
  CHECK(v->encode("the").size() == 1);
  CHECK(v->piece(v->encode("the")[0]) == "\u2581the");
  CHECK(v->encode("the \u65e5") == Ids{v->encode("the")[0], v->encode("\u65e5")[0], kUnknown});
  CHECK(v->decode(v->encode("the \u65e5")) == "the \u2047");
}

TEST_CASE("the user's text never makes a control id") {
  const auto only_text = [](const Ids& ids) {
    return std::all_of(ids.begin(), ids.end(),
                       [](int64_t id) { return id == kUnknown || id >= kSpecials; });
  };
  const std::string hostile = "<pad> <s> </s> <unk> <s></s> \u2581<pad> the<pad>";
  CHECK(only_text(subwords()->encode(hostile)));
  CHECK(only_text(word_vocabulary(kText)->encode(hostile)));
  const auto trained_on_it = train_subwords(Lines{hostile, hostile, "<pad><pad>", "abc abd"}, 26);
  CHECK(only_text(trained_on_it->encode(hostile)));
  CHECK(word_vocabulary(Lines{"<pad>"})->encode("<pad>") == Ids{4});
}

TEST_CASE("hostile lines: NUL, ill-formed UTF-8, very long") {
  const auto v = subwords();
  CHECK(v->encode(std::string("the\0man", 7)).size() > 2);
  CHECK(v->encode("\xff\xfe").back() == kUnknown);
  const std::string huge(300000, 't');
  CHECK(v->decode(v->encode(huge)) == huge);
  const Lines with_huge{huge, kText[0], "", std::string("a\0b", 3)};
  CHECK(train_subwords(with_huge, 30)->size() == 30);
}

TEST_CASE("subwords: learning is deterministic") {
  const TempDir a, b;
  subwords()->save(a.path());
  subwords()->save(b.path());
  CHECK(a.read("vocabulary.json") == b.read("vocabulary.json"));
}

TEST_CASE("vocabularies load what they saved") {
  const TempDir dir;
  const auto words = word_vocabulary(kText);
  words->save(dir.path());
  CHECK(load_vocabulary(dir.path())->size() == words->size());
  CHECK(load_vocabulary(dir.path())->encode(kText[3]) == words->encode(kText[3]));
  const auto pieces = subwords();
  pieces->save(dir.path());
  for (const std::string& line : kText) {
    CHECK(load_vocabulary(dir.path())->encode(line) == pieces->encode(line));
  }
}

TEST_CASE("characters: every code point counts, blanks too, and text survives the round trip") {
  const Lines text{"3 May  2021", "zw\u00f6lf"};
  const auto characters = character_vocabulary(text);
  CHECK(characters->tokens() == Tokens::kCharacters);
  CHECK(characters->size() == kSpecials + 13);
  const TempDir dir;
  characters->save(dir.path());
  const auto loaded = load_vocabulary(dir.path());
  for (const std::string& line : text) {
    CHECK(characters->decode(characters->encode(line)) == line);
    CHECK(loaded->encode(line) == characters->encode(line));
  }
  CHECK(characters->encode("3x\xff") == Ids{characters->encode("3")[0], kUnknown, kUnknown});
  CHECK(character_vocabulary(Lines{"a\xff"})->size() == kSpecials + 1);
  CHECK(characters->decode(Ids{kBegin, kUnknown, kEnd, kPad}) == "\u2047");
  for (const char* wrong : {"", "ab"})
    CHECK(complaint(std::string(R"({"kind": "characters", "pieces": [")") + wrong + "\"]}")
              .starts_with("load_vocabulary: a piece must not be empty"));
}

TEST_CASE("a size that does not fit the text is an error with the numbers") {
  CHECK(message_of([] { train_subwords(Lines{"abc ab"}, 7); }) ==
        "train_subwords: size must be in [8, 1000000], room for 4 specials and 4 characters of the "
        "text; got 7");
  CHECK(message_of([] {
          train_subwords(Lines{"abc ab"}, 500);
        }).starts_with("train_subwords: the text is too small for 500 pieces; got 1"));
}

TEST_CASE("text without a word is an error that says so") {
  const auto message = [](const Lines& lines) {
    return message_of([&] { train_subwords(lines, 100); });
  };
  CHECK(message({"", " \t"}) ==
        "train_subwords: expected text; got 2 sentences, all blank or of more than 4192 bytes");
  CHECK(message({std::string(5000, 'x')}).starts_with("train_subwords: expected text; got 1"));
  CHECK(message({}).starts_with("train_subwords: expected text; got 0"));
}

TEST_CASE("ids outside the vocabulary are an error") {
  for (const int64_t bad : {int64_t{-1}, int64_t{60}, int64_t{1} << 40}) {
    CHECK(message_of([&] {
            subwords()->decode(Ids{5, bad});
          }) == "Vocabulary: id must be in [0, 60); got " + std::to_string(bad));
  }
  CHECK(message_of([] { word_vocabulary(Lines{"a"})->piece(5); }) ==
        "Vocabulary: id must be in [0, 5); got 5");
}

TEST_CASE("damaged vocabulary files are an error that says what is wrong") {
  const TempDir empty;
  CHECK(message_of([&] {
          load_vocabulary(empty.path());
        }).ends_with("vocabulary.json': No such file or directory"));
  const std::string expected =
      "load_vocabulary: expected JSON with a kind and pieces in 'vocabulary.json'; ";
  for (const std::string text :
       {"", "{", "[]", "{\"kind\": \"words\"}", "{\"kind\": 3, \"pieces\": []}",
        "{\"kind\": \"words\", \"pieces\": [1]}",
        "{\"kind\": \"words\", \"pieces\": [\"\xff\"]}"}) {
    CHECK(complaint(text).starts_with(expected));
  }
  CHECK(complaint(R"({"kind": "letters", "pieces": []})") ==
        "load_vocabulary: kind must be one of characters, words, subwords; got 'letters' in "
        "'vocabulary.json'");
  CHECK(complaint(R"({"kind": "words", "pieces": ["a", "b", "a"]})") ==
        "load_vocabulary: expected pieces that differ; got 'a' twice in 'vocabulary.json'");
  CHECK(complaint(R"({"kind": "words", "pieces": ["a b"]})") ==
        "load_vocabulary: a piece must not be empty, nor a word hold blanks, nor a character be "
        "several; got 'a b' in "
        "'vocabulary.json'");
  CHECK(
      complaint(R"({"kind": "words", "pieces": ["a\nb"]})") ==  // one line, whatever the file says
      "load_vocabulary: a piece must not be empty, nor a word hold blanks, nor a character be "
      "several; got 'a\ufffdb' in "
      "'vocabulary.json'");
  CHECK(complaint(R"({"kind": "subwords", "pieces": ["a", ""]})") ==
        "load_vocabulary: a piece must not be empty, nor a word hold blanks, nor a character be "
        "several; got '' in "
        "'vocabulary.json'");
  CHECK(complaint(R"({"kind": "subwords", "pieces": ["a", "<s>"]})") ==
        "load_vocabulary: expected pieces that differ; got '<s>' twice in 'vocabulary.json'");
}

TEST_CASE("subwords cut at random: without dropout SentencePiece's, with all of it characters") {
  const auto v = subwords();
  Generator random(1);
  Lines lines = kText;
  for (const char* other :
       {"", "  the   man ", "xyz man q", "the\u2581man", "\u00fcber alte M\u00e4nner",
        "a\xff"
        "b",
        "<s> </s> <unk>", "Hausfrau does n't"})
    lines.emplace_back(other);
  for (const std::string& line : lines) {
    INFO(line);
    CHECK(v->sample(line, 0, random) == v->encode(line));
    CHECK(random.position() == 0);
  }
  for (const std::string& line : kText) {
    const Ids characters = v->sample(line, 1, random);
    CHECK(std::ssize(characters) == std::ssize(line) + 1);  // with the first blank
    CHECK(v->decode(characters) == line);
  }
}

TEST_CASE("subwords cut at random say the same text, each by its place in the stream") {
  const auto v = subwords();
  Generator random(1), again(1);
  std::vector<Ids> cuts;
  for (int i = 0; i < 20; ++i) {
    cuts.push_back(v->sample(kText[0], 0.3, random));
    CHECK(v->decode(cuts.back()) == kText[0]);
    CHECK(v->sample(kText[0], 0.3, again) == cuts.back());
  }
  CHECK(std::count(cuts.begin(), cuts.end(), cuts[0]) < 5);
  const auto words = word_vocabulary(kText);
  CHECK(words->sample(kText[0], 0.3, random) == words->encode(kText[0]));
}

TEST_CASE("subwords cut at random leave out each merge at the rate that is asked for") {
  const auto v = train_subwords(Lines{"ab ab ab ab"}, 8);  // a, b, the blank, and one merge
  REQUIRE(v->encode("ab").size() == 2);
  Generator random(5);
  int64_t kept = 0;
  for (int i = 0; i < 4000; ++i) kept += v->sample("ab", 0.25, random).size() == 2;
  CHECK(kept > 2890);  // of 4000, 3000 within 4 deviations of 27.4
  CHECK(kept < 3110);
}
