// docs/bug-museum.md: every exhibit has a report and a test, and the tests that it names exist.
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(source_file(file));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Whether the source has TEST_CASE("name", on one line or broken after the parenthesis.
bool has_test(const std::string& source, const std::string& name) {
  const std::string test = "TEST_CASE(", quoted = '"' + name + '"';
  for (size_t at = source.find(test); at != source.npos; at = source.find(test, at)) {
    at = std::min(source.find_first_not_of(" \n", at + test.size()), source.size());
    if (source.compare(at, quoted.size(), quoted) == 0) return true;
  }
  return false;
}

/// Checks each "name" of a line against the `file` before it; how many there are.
int check_tests(const std::string& line) {
  std::string source;
  int names = 0;
  for (size_t open = line.find_first_of("`\""), close = 0; open != line.npos;
       open = line.find_first_of("`\"", close + 1)) {
    close = line.find(line[open], open + 1);
    REQUIRE(close != line.npos);
    const std::string item = line.substr(open + 1, close - open - 1);
    INFO(item);
    if (line[open] == '`') {
      source = read(item);
      CHECK_FALSE(source.empty());
    } else {
      CHECK(has_test(source, item));
      ++names;
    }
  }
  return names;
}

}  // namespace

TEST_CASE("docs/bug-museum.md: every exhibit has its report, and a test that exists") {
  std::istringstream page(read("docs/bug-museum.md"));
  int exhibits = 0, seen = 0, held = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("### ")) {
      ++exhibits;
      CHECK(line.starts_with("### " + std::to_string(exhibits) + ". "));
    }
    if (line.starts_with("- **Seen:**") && line.find("](https://") != std::string::npos) ++seen;
    if (line.starts_with("- **Held by:**") && check_tests(line) > 0) ++held;
    CHECK(seen >= held);
    CHECK(exhibits >= seen);
  }
  CHECK(exhibits == 21);
  CHECK(seen == exhibits);
  CHECK(held == exhibits);
}

TEST_CASE("a test is found by its name, and nothing else by that") {
  CHECK(has_test("TEST_CASE(\"a\") {", "a"));
  CHECK(has_test("TEMPLATE_TEST_CASE(\n    \"a\", \"[x]\") {", "a"));
  CHECK_FALSE(has_test("CHECK(f(\"a\"));", "a"));
  CHECK_FALSE(has_test("TEST_CASE(\"a b\") {", "a"));
  CHECK_FALSE(has_test("\"a\"", "a"));
}
