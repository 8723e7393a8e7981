#include <weft/seq2seq/lab/experiments/depth.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;

namespace {

DepthOptions small(int64_t heads) {
  return {.layers = 2,
          .d_model = 8,
          .heads = heads,
          .ffn = 16,
          .vocabulary = 20,
          .sentences = 2,
          .words = 4,
          .seeds = 2};
}

}  // namespace

TEST_CASE("depth: a finite positive norm for every norm, scale, weight and layer") {
  const ExperimentTable table = depth_experiment(small(2)).table;
  CHECK(table.rows.size() == 12);
  for (const char* norm : {"pre", "post"})
    for (const char* scale : {"1/sqrt(d)", "none"})
      for (const char* weight : {"query", "key", "value"}) {
        const double first = table.at({norm, scale, weight}, "layer 1"),
                     last = table.at({norm, scale, weight}, "layer 2");
        CHECK((std::isfinite(first) && first > 0 && std::isfinite(last) && last > 0));
        CHECK(std::abs(table.at({norm, scale, weight}, "first/last") / (first / last) - 1) <=
              1e-12);
      }
}

TEST_CASE("depth: heads of width 1 have no scale, others have") {
  const auto gap = [](const ExperimentTable& table) {
    return table.at({"pre", "none", "query"}, "layer 1") /
           table.at({"pre", "1/sqrt(d)", "query"}, "layer 1");
  };
  CHECK(gap(depth_experiment(small(8)).table) == 1);
  CHECK(gap(depth_experiment(small(2)).table) > 1);
}
