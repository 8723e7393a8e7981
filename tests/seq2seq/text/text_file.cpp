#include <weft/seq2seq/text/line_reader.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/text/gzip.h>
#include <weft/tests/temp_dir.h>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {
Lines lines_of(const std::string& bytes) {
  const TempDir dir;
  return read_lines(dir.write("input", bytes));
}
}  // namespace

TEST_CASE("read_lines: LF, CRLF, empty lines and a last line without an end") {
  CHECK(lines_of("a b\r\n\nc") == Lines{"a b", "", "c"});
  CHECK(lines_of("a\rb\n") == Lines{"a\rb"});
  CHECK(lines_of("").empty());
  CHECK(lines_of("\n") == Lines{""});
}

TEST_CASE("read_lines: a byte-order mark before a line is no letter of it") {
  CHECK(lines_of("\ufeffthe cat\r\n\ufeffa dog\n") == Lines{"the cat", "a dog"});
  CHECK(lines_of("\ufeff") == Lines{""});
}

TEST_CASE("read_lines: NUL bytes and very long lines are ordinary text") {
  const std::string nul("a\0b", 3), huge(5000000, 'x');
  CHECK(lines_of(nul + "\n" + huge + "\n") == Lines{nul, huge});
}

TEST_CASE("read_lines: invalid UTF-8 names file, line and byte") {
  const TempDir dir;
  const auto file = dir.write("input", "gut\nsch\xf6n\n");
  CHECK(message_of([&] { read_lines(file); }) ==
        "read: expected UTF-8; got byte 0xf6 at line 2, byte 4 of '" + file.string() + "'");
}

TEST_CASE("read_lines: a missing file and a folder are errors") {
  const TempDir dir;
  const std::string missing = (dir / "none.en").string();
  CHECK(message_of([&] { read_lines(dir / "none.en"); }) ==
        "read: cannot open '" + missing + "': No such file or directory");
  CHECK(message_of([&] { read_lines(dir.path()); }) ==
        "read: expected a file; got the directory '" + dir.path().string() + "'");
}

TEST_CASE("read_lines: gzip data are the text in them") {
  CHECK(lines_of(gzip("a b\r\n\nc")) == Lines{"a b", "", "c"});
  CHECK(lines_of(gzip("")).empty());
  CHECK(lines_of(gzip("a\nb") + gzip("") + gzip("c\n")) == Lines{"a", "bc"});  // cat a.gz b.gz
  std::string large;
  for (int i = 0; i < 200000; ++i) large += std::to_string(i) + '\n';
  CHECK(lines_of(gzip(large)) == lines_of(large));
  CHECK(lines_of("\x1f").size() == 1);  // too short for gzip data
}

TEST_CASE("read_lines: gzip data that are not whole are errors that name the file") {
  const TempDir dir;
  const std::string whole = gzip("the cat\nsees a dog\n");
  const auto complaint = [&](const std::string& bytes) {
    const auto file = dir.write("f.gz", bytes);
    std::string message = message_of([&] { read_lines(file); });
    const std::string begin = "read: '" + file.string() + "' ";
    REQUIRE(message.starts_with(begin));
    return message.substr(begin.size());
  };
  for (size_t n = 2; n < whole.size(); ++n) {
    CHECK(complaint(whole.substr(0, n)) ==
          "is cut off: its gzip data do not end, at byte " + std::to_string(n));
  }
  std::string damaged = whole;
  damaged[whole.size() - 8] ^= 1;  // of the checksum
  CHECK(complaint(damaged) == "holds damaged gzip data: incorrect data check, at byte " +
                                  std::to_string(whole.size() - 4));
  const std::string junk = "holds damaged gzip data: incorrect header check, at byte ";
  CHECK(complaint(whole + "junk") == junk + std::to_string(whole.size() + 2));
  CHECK(complaint(whole + std::string(512, '\0')) == junk + std::to_string(whole.size() + 2));
  CHECK(complaint(whole + "\x1f") ==
        "is cut off: its gzip data do not end, at byte " + std::to_string(whole.size() + 1));
}

TEST_CASE("read_lines: a flipped bit of gzip data is an error, or of what is no text") {
  const TempDir dir;
  const Lines lines{"the cat", "sees a dog"};
  const std::string whole = gzip("the cat\nsees a dog\n");
  int found = 0;
  for (size_t bit = 16; bit < 8 * whole.size(); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const auto file = dir.write("f.gz", bytes);
    Lines read;
    const std::string message = message_of([&] { read = read_lines(file); });
    if (message.empty())
      CHECK(read == lines);
    else
      CHECK_THAT(message, Catch::Matchers::Contains(file.string()));
    found += !message.empty();
  }
  CHECK(found > 200);  // a header's time and system are no text
}

TEST_CASE("read_lines: a line of a small gzip file does not fill the memory") {
  const TempDir dir;
  const auto line = dir.write("line.gz", gzip(std::string(LineReader::kLongest + 100000, 'x')));
  CHECK(message_of([&] { read_lines(line); }) ==
        "read: line 1 of '" + line.string() + "' is longer than 16777216 bytes");
}

TEST_CASE("read_parallel: pairs line with line") {
  const TempDir dir;
  const ParallelText text =
      read_parallel(dir.write("a.en", "one\ntwo\n"), dir.write("a.de", "eins\r\nzwei"));
  CHECK(text.source == Lines{"one", "two"});
  CHECK(text.target == Lines{"eins", "zwei"});
}

TEST_CASE("read_pairs: a source and its target a line") {
  const TempDir dir;
  const ParallelText text =
      read_pairs(dir.write("a.tsv", "\ufeffone\teins\r\n\tzwei\nthree \t\na b\tc d"));
  CHECK(text.source == Lines{"one", "", "three ", "a b"});
  CHECK(text.target == Lines{"eins", "zwei", "", "c d"});
}

TEST_CASE("read_pairs: what is not a file of pairs names the file and the line") {
  const TempDir dir;
  const auto complaint = [&](const std::string& text) {
    const auto file = dir.write("a.tsv", text);
    std::string message = message_of([&] { read_pairs(file); });
    const std::string name = file.string() + "'";
    REQUIRE(message.ends_with(name));
    return message.substr(0, message.size() - name.size());
  };
  const std::string expected = "read_pairs: expected source <tab> target; got ";
  CHECK(complaint("a\tb\nc d\n") == expected + "0 tabs at line 2 of '");
  CHECK(complaint("a\tb\n\nc\td\n") == expected + "0 tabs at line 2 of '");
  CHECK(complaint("a\tb\tc\n") == expected + "2 tabs at line 1 of '");
  CHECK(complaint("a\tb\nc\t\xff\n") ==
        "read: expected UTF-8; got byte 0xff at line 2, byte 3 of '");
  CHECK(complaint("") == "read_pairs: expected at least one line; got the empty file '");
}

TEST_CASE("pairs without a word on a side are removed and counted") {
  ParallelText text{{"a", "", "b", "c", "\u00a0\t", "d"}, {"1", "2", " ", "3", "", "4"}};
  CHECK(remove_empty_pairs(text) == 3);
  CHECK(text.source == Lines{"a", "c", "d"});
  CHECK(text.target == Lines{"1", "3", "4"});
  CHECK(remove_empty_pairs(text) == 0);
}

TEST_CASE("read_parallel: different counts and empty files are errors") {
  const TempDir dir;
  const auto two = dir.write("two", "a\nb\n"), one = dir.write("one", "a\n");
  const auto empty = dir.write("empty", "");
  CHECK(message_of([&] { read_parallel(two, one); }) ==
        "read_parallel: expected files of equally many lines; got 2 in '" + two.string() +
            "' and 1 in '" + one.string() + "'");
  CHECK(message_of([&] { read_parallel(one, empty); }) ==
        "read_parallel: expected at least one line; got the empty file '" + empty.string() + "'");
}

TEST_CASE("write_file replaces a file whole and leaves nothing behind") {
  const TempDir dir;
  dir.write("f", "old");
  write_file(dir / "f", "new\n");
  CHECK(read_file(dir / "f") == "new\n");
  const auto entries = std::filesystem::directory_iterator(dir.path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
  const std::string inside = (dir / "none" / "f").string();
  CHECK(message_of([&] { write_file(inside, ""); }) ==
        "write: cannot write " + inside + ": No such file or directory");
}
