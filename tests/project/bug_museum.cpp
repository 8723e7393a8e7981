// docs/bug-museum.md: every exhibit has a report and a test, and the tests that it names exist.
#include <weft/tests/catch.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(WEFT_SOURCE_DIR / file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Whether the source has TEST_CASE("name", on one line or broken after the parenthesis.
bool has_test(const std::string& source, const std::string& name) {
  static const std::regex kBreak("TEST_CASE\\(\\s+");
  const std::string joined = std::regex_replace(source, kBreak, "TEST_CASE(");
  return joined.find("TEST_CASE(\"" + name + '"') != std::string::npos;
}

/// Checks each "name" of a line against the `file` before it; how many there are.
int check_tests(const std::string& line) {
  static const std::regex kItem("`([^`]+)`|\"([^\"]+)\"");
  std::string source;
  int names = 0;
  for (std::sregex_iterator item(line.begin(), line.end(), kItem), end; item != end; ++item) {
    if ((*item)[1].matched) {
      source = read((*item)[1].str());
      INFO((*item)[1].str());
      CHECK_FALSE(source.empty());
    } else {
      INFO((*item)[2].str());
      CHECK(has_test(source, (*item)[2].str()));
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
