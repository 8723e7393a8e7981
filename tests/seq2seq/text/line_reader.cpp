#include <unistd.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/text/gzip.h>

#include <string_view>

using namespace weft;

namespace {

// A pipe whose reading end a LineReader has.
class Pipe {
 public:
  Pipe() { REQUIRE(pipe(ends_) == 0); }
  ~Pipe() {
    close_writer();
    close(ends_[0]);
  }
  void write(std::string_view text) {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  int reader() const { return ends_[0]; }

 private:
  int ends_[2];
};

}  // namespace

TEST_CASE("line reader: is ready when a whole line is there, or the end") {
  Pipe pipe;
  LineReader lines(pipe.reader(), "pipe");
  CHECK(!lines.ready());
  pipe.write("one\ntwo\nth");
  CHECK(lines.ready());
  CHECK(lines.next() == "one");
  CHECK(lines.ready());
  CHECK(lines.next() == "two");
  CHECK(!lines.ready());  // half a line is none
  pipe.write("ree");
  CHECK(!lines.ready());
  pipe.close_writer();
  CHECK(lines.ready());
  CHECK(lines.next() == "three");
  CHECK(lines.ready());
  CHECK(lines.next() == std::nullopt);
  CHECK(lines.next() == std::nullopt);
}

TEST_CASE("line reader: empty lines, CRLF, byte-order marks and bytes that are no text") {
  Pipe pipe;
  pipe.write(
      "\xef\xbb\xbf"
      "a\r\n\n\xff\nno end");
  pipe.close_writer();
  LineReader lines(pipe.reader(), "pipe");
  CHECK(lines.next() == "a");
  CHECK(lines.next() == "");
  CHECK(lines.next() == "\xff");
  CHECK(lines.next() == "no end");
  CHECK(lines.next() == std::nullopt);
}

TEST_CASE("line reader: gzip data give each line as soon as it is there") {
  Pipe pipe;
  LineReader lines(pipe.reader(), "pipe");
  const std::string first = gzip("one\n"), second = gzip("two\nthree");
  pipe.write(first.substr(0, 1));
  CHECK(!lines.ready());
  pipe.write(first.substr(1));
  CHECK(lines.ready());
  CHECK(lines.next() == "one");
  CHECK(!lines.ready());
  pipe.write(second.substr(0, second.size() - 1));
  CHECK(lines.next() == "two");
  CHECK(!lines.ready());
  pipe.write(second.substr(second.size() - 1));
  pipe.close_writer();
  CHECK(lines.next() == "three");
  CHECK(lines.next() == std::nullopt);
  CHECK(lines.count() == 3);
}

TEST_CASE("line reader: all that a little gzip data hold is ready") {
  Pipe pipe;
  LineReader lines(pipe.reader(), "pipe");
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "ab\n";
  pipe.write(gzip(text));
  for (int i = 0; i < 100000; ++i) {
    if (!lines.ready()) FAIL("not ready for line " << i);
    if (lines.next() != "ab") FAIL("line " << i);
  }
  CHECK(!lines.ready());
}

TEST_CASE("line reader: gzip data that are cut off are an error after their lines") {
  Pipe pipe;
  LineReader lines(pipe.reader(), "pipe");
  const std::string whole = gzip("one\ntwo\n");
  pipe.write(whole.substr(0, whole.size() - 4));
  pipe.close_writer();
  CHECK(lines.next() == "one");
  CHECK(lines.next() == "two");
  CHECK_THAT(message_of([&] { lines.next(); }),
             Catch::Matchers::Contains("read: pipe is cut off: its gzip data do not end"));
}

TEST_CASE("line reader: what cannot be read is an error") {
  LineReader lines(-1, "nothing");
  CHECK(message_of([&] { lines.next(); }) == "read: cannot read nothing: Bad file descriptor");
}
