// The shape of the tree, read from its sources: which folder may include which, what a public
// header may need, and how long a file may grow.
#include <weft/tests/catch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

// From left to right: a folder includes itself and those to its left.
constexpr std::array kFolders{"core", "autograd", "nn", "optim", "seq2seq", "examples"};

struct Source {
  fs::path path;  // relative to the root of the project
  std::vector<std::string> lines;

  std::string folder() const { return path.begin()->string(); }
};

std::vector<std::string> read_lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Source> read_sources() {
  const fs::path root = WEFT_SOURCE_DIR;
  std::vector<Source> sources;
  for (const char* folder :
       {"core", "autograd", "nn", "optim", "seq2seq", "examples", "tests", "bench"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      sources.push_back({fs::relative(entry.path(), root), read_lines(entry.path())});
    }
  }
  return sources;
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = read_sources();
  return all;
}

/// What the file includes, with its brackets or quotes: `<weft/core/tensor.h>`.
std::vector<std::string> includes(const Source& source) {
  const std::string directive = "#include ";
  std::vector<std::string> found;
  for (const std::string& line : source.lines) {
    if (line.rfind(directive, 0) != 0) continue;
    const size_t end = line.find_first_of(">\"", directive.size() + 1);
    found.push_back(line.substr(directive.size(), end + 1 - directive.size()));
  }
  return found;
}

/// The folder of weft that an include reaches into: "core" for `<weft/core/tensor.h>`, else "".
std::string included_folder(const std::string& include) {
  const std::string start = "<weft/";
  const size_t slash = include.find('/', start.size());
  const bool reaches = include.rfind(start, 0) == 0 && slash != std::string::npos;
  return reaches ? include.substr(start.size(), slash - start.size()) : "";
}

bool is_in_library(const Source& source) {
  return std::find(kFolders.begin(), kFolders.end() - 1, source.folder()) != kFolders.end() - 1;
}

bool has_header(const Source& source) {
  return fs::exists(WEFT_SOURCE_DIR / fs::path(source.path).replace_extension(".h"));
}

/// check.h brings fmt and the ops' helper brings check.h: a program that uses weft needs neither.
bool is_public_header(const Source& source) {
  return is_in_library(source) && source.path.extension() == ".h" &&
         source.path != "core/check.h" && source.path.parent_path() != "autograd/ops" &&
         source.path.parent_path() != "core/kernels";
}

auto rank(const std::string& folder) {
  return std::find(kFolders.begin(), kFolders.end(), folder) - kFolders.begin();
}

bool is_standard(const std::string& include) {
  return include == "<math.h>" || include.find_first_of("./\"") == std::string::npos;
}

}  // namespace

TEST_CASE("the tree is found") { CHECK(sources().size() > 50); }

TEST_CASE("dependencies run one way: core, autograd, nn, optim, seq2seq, examples") {
  for (const Source& source : sources()) {
    if (source.folder() == "tests" || source.folder() == "bench") continue;
    for (const std::string& include : includes(source)) {
      const std::string folder = included_folder(include);
      INFO(source.path << " includes " << include);
      if (!folder.empty()) CHECK(rank(folder) <= rank(source.folder()));
      if (is_in_library(source)) CHECK(include != "<weft/weft.h>");
    }
  }
}

TEST_CASE("a header of the library needs only weft and the standard library") {
  for (const Source& source : sources()) {
    if (!is_public_header(source)) continue;
    for (const std::string& include : includes(source)) {
      INFO(source.path << " includes " << include);
      CHECK((is_standard(include) || !included_folder(include).empty()));
      CHECK(include != "<weft/core/check.h>");
    }
  }
}

TEST_CASE("seq2seq.h includes every public header of seq2seq") {
  Source umbrella{"seq2seq.h", read_lines(fs::path(WEFT_SOURCE_DIR) / "seq2seq.h")};
  const std::vector<std::string> found = includes(umbrella);
  for (const Source& source : sources()) {
    if (source.folder() != "seq2seq" || !is_public_header(source)) continue;
    if (source.path.parent_path().filename() == "detail") continue;
    INFO(source.path);
    CHECK(std::find(found.begin(), found.end(), "<weft/" + source.path.string() + ">") !=
          found.end());
  }
}

TEST_CASE("one file calls BLAS") {
  for (const Source& source : sources()) {
    if (source.path.parent_path() == "bench/peers") continue;  // what weft is compared with
    for (const std::string& include : includes(source)) {
      if (include == "<cblas.h>") CHECK(source.path == "core/blas.cpp");
    }
  }
}

TEST_CASE("every header, and every source without one, says what it is for") {
  for (const Source& source : sources()) {
    if (source.folder() == "tests") continue;
    INFO(source.path);
    if (source.path.extension() == ".h" || !has_header(source))
      CHECK(source.lines.at(0).rfind("// ", 0) == 0);
  }
}

TEST_CASE("docs/layers.md names every layer") {
  std::string page;
  for (const std::string& line : read_lines(fs::path(WEFT_SOURCE_DIR) / "docs/layers.md"))
    page += line;
  int layers = 0;
  for (const Source& source : sources()) {
    if (source.folder() != "nn" || source.path.extension() != ".h") continue;
    for (const std::string& line : source.lines) {
      const size_t base = line.find(" : public Layer<");
      if (line.rfind("class ", 0) != 0 || base == std::string::npos) continue;
      INFO(line);
      CHECK(page.find('`' + line.substr(6, base - 6) + '`') != std::string::npos);
      ++layers;
    }
  }
  CHECK(layers > 20);
}

TEST_CASE("no source file is longer than 400 lines") {
  for (const Source& source : sources()) {
    INFO(source.path << " has " << source.lines.size() << " lines");
    CHECK(source.lines.size() <= 400);
  }
}
