#include <weft/tests/places.h>

namespace fs = std::filesystem;

fs::path test_data(const std::string& file) {
  return source_file(fs::path("tests/fixtures") / file);
}
fs::path report_folder() { return WEFT_TEST_REPORTS; }
fs::path source_file(const fs::path& file) { return WEFT_SOURCE_DIR / file; }
