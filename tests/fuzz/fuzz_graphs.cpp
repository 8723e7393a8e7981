// Checks the gradients of random graphs of ops for as long as it is told to.
//   fuzz_graphs --seconds N --seed S      graphs S, S + 1, ... until N seconds are over
//   fuzz_graphs --graphs N --seed S       N graphs
// A graph whose gradient is wrong is cut down to the shortest beginning that is wrong as well, and
// printed with the call that checks it again. The exit status is then 1.
#include <fmt/format.h>
#include <weft/tests/fuzz/graph_check.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace weft;
using namespace weft::fuzz;

namespace {

struct Options {
  double seconds = 0;
  uint64_t seed = 1, graphs = 0;
};

[[noreturn]] void usage() {
  std::fputs("usage: fuzz_graphs [--seconds N | --graphs N] [--seed S]\n", stderr);
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options o;
  if (argc % 2 == 0) usage();
  for (int i = 1; i < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0)
      o.seconds = std::strtod(argv[i + 1], nullptr);
    else if (std::strcmp(argv[i], "--graphs") == 0)
      o.graphs = std::strtoull(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--seed") == 0)
      o.seed = std::strtoull(argv[i + 1], nullptr, 10);
    else
      usage();
  }
  return o;
}

// One to fifty steps, small graphs as often as large ones.
int64_t steps_for(uint64_t seed) { return 1 + Generator(seed ^ 0x5eed).below(50); }

bool passes(uint64_t seed) {
  const int64_t most = steps_for(seed);
  if (fault_of(random_graph(seed, most), seed).empty()) return true;
  int64_t steps = 1;
  while (steps < most && fault_of(random_graph(seed, steps), seed).empty()) ++steps;
  const Graph graph = random_graph(seed, steps);
  fmt::print("graph {}, {} of {} steps: {}\n{}again with: fuzz_graphs --graphs 1 --seed {}\n", seed,
             steps, most, fault_of(graph, seed), to_string(graph), seed);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  fmt::print("fuzz_graphs: from seed {}\n", o.seed);
  uint64_t checked = 0, wrong = 0;
  for (; o.graphs ? checked < o.graphs : elapsed() < o.seconds; ++checked) {
    wrong += !passes(o.seed + checked);
    if (wrong == 10) break;
  }
  fmt::print("fuzz_graphs: {} graphs in {:.0f} s, {} wrong\n", checked, elapsed(), wrong);
  return wrong ? 1 : 0;
}
