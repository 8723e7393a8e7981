#include <sys/stat.h>
#include <weft/seq2seq/program/detail/growth.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <filesystem>
#include <fstream>

using namespace weft;

namespace {

using Lines = std::vector<std::string>;

// A file as one reader follows it.
struct Followed {
  TempDir dir;
  std::filesystem::path file = dir / "log";
  std::string cursor;

  void append(const std::string& text) const {
    std::ofstream(file, std::ios::binary | std::ios::app) << text;
  }
  Growth read(size_t most = kMostGrowth) {
    Growth growth = read_growth(file, cursor, most);
    cursor = growth.cursor;
    return growth;
  }
};

}  // namespace

TEST_CASE("growth: each line is read once, when it has its end") {
  Followed log;
  CHECK(log.read().lines.empty());
  log.append("one\ntwo\nthr");
  const Growth first = log.read();
  CHECK(first.lines == Lines{"one", "two"});
  CHECK(first.anew);
  CHECK_FALSE(first.more);
  CHECK(log.read().lines.empty());
  log.append("ee\n\nfive\n");
  const Growth second = log.read();
  CHECK(second.lines == Lines{"three", "", "five"});
  CHECK_FALSE(second.anew);
}

TEST_CASE("growth: a file that is cut, written anew or gone is read from its beginning") {
  Followed log;
  log.append("one\ntwo\n");
  log.read();
  SECTION("cut") {
    std::filesystem::resize_file(log.file, 4);
    const Growth growth = log.read();
    CHECK(growth.lines == Lines{"one"});
    CHECK(growth.anew);
  }
  SECTION("another one that is longer") {
    log.dir.write("log", "one\nTWO\nthree\n");
    const Growth growth = log.read();
    CHECK(growth.lines == Lines{"one", "TWO", "three"});
    CHECK(growth.anew);
  }
  SECTION("gone") {
    std::filesystem::remove(log.file);
    const Growth growth = log.read();
    CHECK(growth.lines.empty());
    CHECK(growth.anew);
  }
  SECTION("a copy is the same") {
    log.dir.write("copy", "one\ntwo\nthree\n");
    std::filesystem::rename(log.dir / "copy", log.file);
    const Growth growth = log.read();
    CHECK(growth.lines == Lines{"three"});
    CHECK_FALSE(growth.anew);
  }
  CHECK(log.read().lines.empty());
}

TEST_CASE("growth: a large file comes in parts") {
  Followed log;
  for (int i = 0; i < 6; ++i) log.append("line " + std::to_string(i) + "\n");  // 7 bytes each
  Lines all;
  size_t parts = 0;
  for (bool more = true; more; ++parts) {
    const Growth growth = log.read(16);
    CHECK(growth.lines.size() <= 2);
    CHECK(growth.anew == (parts == 0));
    all.insert(all.end(), growth.lines.begin(), growth.lines.end());
    more = growth.more;
  }
  CHECK(all == Lines{"line 0", "line 1", "line 2", "line 3", "line 4", "line 5"});
  CHECK(parts == 3);
}

TEST_CASE("growth: a line that is too long comes in pieces, and what follows is read") {
  Followed log;
  log.append(std::string(40, 'x') + "\nnext\n");
  Lines all;
  for (bool more = true; more;) {
    const Growth growth = log.read(16);
    all.insert(all.end(), growth.lines.begin(), growth.lines.end());
    more = growth.more;
  }
  CHECK(all == Lines{std::string(16, 'x'), std::string(16, 'x'), std::string(8, 'x'), "next"});
}

TEST_CASE("growth: a cursor that was never given is the beginning") {
  Followed log;
  log.append("one\ntwo\n");
  for (const char* cursor :
       {"4", "4-00000000", "-1-", "99999999999999999999-", "18446744073709551615-00000000", "x"}) {
    const Growth growth = read_growth(log.file, cursor);
    CHECK(growth.lines == Lines{"one", "two"});
    CHECK(growth.anew);
  }
}

TEST_CASE("growth: what the system does not let be read is an error") {
  const TempDir dir;
  std::filesystem::create_symlink("loop", dir / "loop");
  CHECK_THROWS_WITH(read_growth(dir / "loop", ""),
                    "cannot be opened: Too many levels of symbolic links");
}

TEST_CASE("growth: what is no ordinary file has no lines") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK(read_growth(dir / "pipe", "").lines.empty());
  CHECK(read_growth(dir.path(), "").lines.empty());
  CHECK(read_growth("/dev/zero", "").lines.empty());
  CHECK(read_growth(dir / "none", "").lines.empty());
}
