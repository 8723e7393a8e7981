// The shape of the tree, read from its sources: which folder may include which, what a public
// header may need, and how long a file may grow.
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

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

struct Rooms {
  const char* folder;
  std::vector<std::string> names;  // from left to right, as above; "" stands for the folder itself
};

// autograd: ops.h declares every op in terms of core alone, so that all may call ops: the engine
//   adds gradients, transforms compute with them. The rooms are what records and walks a graph;
//   functions of functions, whose vjp a fused op takes of its composition; how each op is computed;
//   checks of all this; and, used by none of them, what looks on.
// nn: layers that others are made of, what is made of them, and measures of what they do.
// seq2seq: what a sentence is and how a setting is described; what needs no model; models, and what
//   is done with them; what a run is made of, and the run.
const std::array kRooms{
    Rooms{"autograd", {"", "graph", "transforms", "ops", "check", "inspect"}},
    Rooms{"nn", {"", "recurrent", "attention", "transformer", "inspect"}},
    Rooms{"seq2seq",
          {"text", "settings", "pictures", "metrics", "tasks", "models", "decoding", "exchange",
           "lab", "run", "training", "program"}},
};

// Headers that include all of a folder: for users.
constexpr std::array kUmbrellas{"<weft/weft.h>", "<weft/seq2seq.h>", "<weft/autograd/autograd.h>"};

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
  const fs::path root = source_file("");
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

/// The room of a path such as nn/attention/heads.h, below its folder: "attention"; "" if it is in
/// none. A folder detail/ is no room of its own.
std::string room(const fs::path& path) {
  const std::string first = std::next(path.begin())->string();
  const bool inside = std::distance(path.begin(), path.end()) > 2 && first != "detail";
  return inside ? first : "";
}

template <class List>
auto place_in(const List& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) - list.begin();
}

bool is_umbrella(const std::string& include) {
  return place_in(kUmbrellas, include) < std::ssize(kUmbrellas);
}

std::string as_include(const Source& source) { return "<weft/" + source.path.string() + ">"; }

bool is_in_library(const Source& source) {
  return std::find(kFolders.begin(), kFolders.end() - 1, source.folder()) != kFolders.end() - 1;
}

bool has_header(const Source& source) {
  return fs::exists(source_file(fs::path(source.path).replace_extension(".h")));
}

bool is_inside(const Source& source, const char* folder) {
  return std::find(source.path.begin(), source.path.end(), folder) != source.path.end();
}

/// What is in a folder detail/ or kernels/ is the library's own and not installed.
bool is_public_header(const Source& source) {
  return is_in_library(source) && source.path.extension() == ".h" && !is_inside(source, "detail") &&
         !is_inside(source, "kernels");
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
      if (!folder.empty()) CHECK(place_in(kFolders, folder) <= place_in(kFolders, source.folder()));
      if (is_in_library(source)) CHECK(!is_umbrella(include));
    }
  }
}

TEST_CASE("rooms inside a folder depend on each other one way") {
  for (const auto& [folder, names] : kRooms)
    for (const Source& source : sources()) {
      if (source.folder() != folder || is_umbrella(as_include(source))) continue;
      const auto place = place_in(names, room(source.path));
      INFO(source.path);
      CHECK(place < std::ssize(names));
      for (const std::string& include : includes(source)) {
        if (included_folder(include) != folder) continue;
        INFO("includes " << include);
        CHECK(place_in(names, room(include.substr(std::size("<weft/") - 1))) <= place);
      }
    }
}

TEST_CASE("a header of the library needs only weft and the standard library") {
  for (const Source& source : sources()) {
    if (!is_public_header(source)) continue;
    for (const std::string& include : includes(source)) {
      INFO(source.path << " includes " << include);
      CHECK((is_standard(include) || !included_folder(include).empty()));
      CHECK(include.find("/detail/") == std::string::npos);
      CHECK(include.find("/kernels/") == std::string::npos);
    }
  }
}

TEST_CASE("seq2seq.h includes every public header of seq2seq") {
  Source umbrella{"seq2seq.h", read_lines(source_file("seq2seq.h"))};
  const std::vector<std::string> found = includes(umbrella);
  for (const Source& source : sources()) {
    if (source.folder() != "seq2seq" || !is_public_header(source)) continue;
    INFO(source.path);
    CHECK(std::find(found.begin(), found.end(), as_include(source)) != found.end());
  }
}

TEST_CASE("one file calls BLAS") {
  for (const Source& source : sources()) {
    if (source.path.parent_path() == "bench/peers") continue;  // what weft is compared with
    for (const std::string& include : includes(source)) {
      if (include == "<cblas.h>") CHECK(source.path == "core/detail/cblas.cpp");
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
  for (const std::string& line : read_lines(source_file("docs/layers.md"))) page += line;
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

// The ways in that the README names.
TEST_CASE("reading paths stay short") {
  const auto lines = [](const std::vector<std::string>& starts) {
    size_t count = 0;
    for (const std::string& start : starts) {
      bool found = false;
      for (const Source& source : sources()) {
        if (!source.path.string().starts_with(start)) continue;
        found = true;
        count += source.lines.size();
      }
      INFO(start);
      CHECK(found);
    }
    return count;
  };
  CHECK(lines({"core/tensor.h", "autograd/graph/op.h", "autograd/graph/node.h",
               "autograd/graph/detail/engine.cpp"}) < 900);
  CHECK(lines({"nn/attention/multihead_attention.", "nn/attention/heads.cpp", "nn/mask.h",
               "autograd/ops/attention.cpp"}) < 800);
  CHECK(lines({"examples/translate/", "seq2seq/training/", "seq2seq/models/seq2seq_model.",
               "seq2seq/models/transformer_seq2seq."}) < 1500);
}
