#include <unistd.h>
#include <weft/seq2seq/text/line_reader.h>
#include <weft/tests/catch.h>

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

TEST_CASE("line reader: what cannot be read is an error") {
  LineReader lines(-1, "nothing");
  CHECK(message_of([&] { lines.next(); }) == "read: cannot read nothing: Bad file descriptor");
}
