// Every op at the edges of float32: each sample's floating inputs are replaced by numbers of an
// edge, and values, gradients and gradients of gradients in float32 must be those of float64,
// rounded. What is not so stands, with its reason, in docs/edges.md, and nothing else does.
#include <fmt/format.h>
#include <weft/tests/autograd/edges_run.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>
#include <weft/tests/report.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace weft;
using namespace weft::extremes;

namespace {

struct Pattern {
  const char* name;
  double (*number)(double v, int64_t i);  // in the place of the i-th number v of an input
};

constexpr double kLargest = std::numeric_limits<float>::max();

const Pattern kEdges[] = {
    {"1e-40", [](double v, int64_t) { return v * 1e-40; }},
    {"1e-30", [](double v, int64_t) { return v * 1e-30; }},
    {"1e9", [](double v, int64_t) { return v * 1e9; }},
    {"1e20", [](double v, int64_t) { return v * 1e20; }},
    {"max", [](double v, int64_t) { return std::copysign(kLargest, v); }},
    {"equal", [](double, int64_t) { return 1e8; }},
    {"inf", [](double v, int64_t i) { return i % 3 ? v : std::copysign(kInf, v); }},
};

// Sizes that int64 cannot hold, in the samples of the ops that take sizes or places.
const std::set<std::string> kTakeSizes{"cat",   "expand", "pad",  "reshape",
                                       "slice", "split",  "tril", "triu"};

int huge_sizes(const Samples& samples) {
  int count = 0;
  for (const ErrorSample& e : samples.errors())
    count += e.message.find("9223372036854775807") != std::string::npos ||
             e.message.find("4294967296") != std::string::npos;
  for (const Sample& s : samples.samples())
    count += s.name.find("beyond") != std::string::npos ||
             s.name.find("922337203685477580") != std::string::npos;
  return count;
}

// (op or op/sample, edge) -> reason, from the table of docs/edges.md: | `op/sample` | edges |
// reason |
std::map<std::pair<std::string, std::string>, std::string> documented() {
  std::map<std::pair<std::string, std::string>, std::string> all;
  std::ifstream page(source_file("docs/edges.md"));
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    std::istringstream cells(line);
    std::string skip, op, edges, reason;
    std::getline(cells, skip, '|');
    std::getline(cells, op, '|');
    std::getline(cells, edges, '|');
    std::getline(cells, reason, '|');
    std::istringstream names(edges);
    for (std::string edge; names >> edge;) {
      if (edge.back() == ',') edge.pop_back();
      all[{op.substr(2, op.size() - 4), edge}] = reason;
    }
  }
  return all;
}

class Table {
 public:
  Table() : reasons_(documented()) {
    text_ = fmt::format("{:<30}", "op at the edges of float32");
    for (const Pattern& edge : kEdges) text_ += fmt::format("{:>9}", edge.name);
    text_ += fmt::format("{:>9}{:>9}\n", "junk", "sizes");
  }

  void add(const Op& op) {
    Samples samples;
    op.samples(samples);
    text_ += fmt::format("{:<30}", op.name);
    for (const Pattern& edge : kEdges)
      add_cell(op, samples, edge.name,
               [&](const Sample& s) { return judge_single(s.f, replaced(s.inputs, edge.number)); });
    add_cell(op, samples, "junk", [](const Sample& s) { return judge_junk(s.f, s.inputs); });
    const int sizes = huge_sizes(samples);
    INFO(op.name);
    CHECK((sizes > 0 || !kTakeSizes.contains(op.name)));
    text_ += fmt::format("{:>9}\n", sizes > 0 ? std::to_string(sizes) : "-");
    ++ops_;
  }

  void finish() {
    for (const auto& [place, reason] : reasons_) {
      INFO(place.first << " at " << place.second << ":" << reason);
      CHECK(used_.contains(place));  // what is documented is still so
    }
    text_ += fmt::format(
        "{} ops, none skipped: {} numbers; of those with * some differ, as docs/edges.md says\n",
        ops_, numbers_);
    write_report("edges", text_);
  }

 private:
  template <class F>
  void add_cell(const Op& op, const Samples& samples, const std::string& edge, F judge) {
    int compared = 0;
    bool excused = false;
    for (const Sample& s : samples.samples()) {
      const Judgement j = judge(s);
      compared += j.compared;
      if (j.fault.empty()) continue;
      const std::string name = fmt::format("{}/{}", op.name, s.name);
      INFO(name << " at " << edge << ": " << j.fault);
      const bool known = excuse(op.name, edge) || excuse(name, edge);
      CHECK(known);
      excused = true;
    }
    numbers_ += compared;
    text_ +=
        fmt::format("{:>9}", compared == 0 ? "-" : std::to_string(compared) + (excused ? "*" : ""));
  }

  bool excuse(const std::string& who, const std::string& edge) {
    const auto found = reasons_.find({who, edge});
    if (found == reasons_.end()) return false;
    used_.insert(found->first);
    return true;
  }

  std::map<std::pair<std::string, std::string>, std::string> reasons_;
  std::set<std::pair<std::string, std::string>> used_;
  std::string text_;
  int ops_ = 0;
  int64_t numbers_ = 0;
};

}  // namespace

TEST_CASE("every op at the edges of float32, and with junk where it does not look") {
  Table table;
  for (const Op* op : registered_ops())
    if (std::string(op->name).rfind("test_", 0) != 0) table.add(*op);
  table.finish();
}

TEST_CASE("the sweep over edges sees what is wrong") {
  const auto squares_first = [](const Tensors& in) { return Tensors{sqrt(in[0] * in[0])}; };
  const Tensors inputs{tensor({1.0, -2.0}, kFloat64)};
  CHECK(judge_single(squares_first, inputs).fault.empty());
  CHECK_FALSE(judge_single(squares_first, replaced(inputs, kEdges[3].number)).fault.empty());
  const auto multiplies_by_zero = [](const Tensors& in) {
    return Tensors{in[0] * tensor({1.0, 0.0}, in[0].dtype())};
  };
  CHECK_FALSE(judge_junk(multiplies_by_zero, inputs).fault.empty());
  const auto chooses = [](const Tensors& in) {
    return Tensors{where(tensor({true, false}), in[0], zeros({}, in[0].dtype()))};
  };
  CHECK(judge_junk(chooses, inputs).fault.empty());
}
