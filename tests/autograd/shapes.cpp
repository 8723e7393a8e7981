// Every op on the shapes that are easily forgotten: a dim of size 1, a dim of size 0, the largest
// rank. The calls are those that the ops register as samples, their dims resized one by one; where
// a call is an error at that size there is nothing to check.
#include <fmt/format.h>
#include <weft/autograd/check/gradcheck.h>
#include <weft/tests/autograd/sample_variants.h>
#include <weft/tests/catch.h>
#include <weft/tests/report.h>

using namespace weft;

namespace {

// So many calls were checked.
struct Tally {
  int one = 0, none = 0, deep = 0;
};

bool check_call(const std::string& what, const SampleFunction& f, const Tensors& inputs,
                const GradcheckOptions& options = {}) {
  if (!takes(f, inputs)) return false;
  INFO(what);
  CHECK(gradcheck(what, f, inputs, options).failure.empty());
  return true;
}

void sweep(Tally& tally, const std::string& name, const Sample& s) {
  tally.one += has_size(s.inputs, 1);  // tests/autograd/ops.cpp checks it as it is
  tally.none += has_size(s.inputs, 0);
  for (const int64_t size : sizes_of(s.inputs))
    for (const int64_t to : {1, 0})
      (to == 1 ? tally.one : tally.none) += check_call(
          fmt::format("{}, {} at size {}", name, size, to), s.f, resized(s.inputs, size, to));
  const bool all = check_call(name + " at the largest rank", s.f, lifted(s.inputs, true),
                              {.directions = {2, 2}});
  tally.deep += all || check_call(name + ", its first input at the largest rank", s.f,
                                  lifted(s.inputs, false), {.directions = {2, 2}});
}

}  // namespace

TEST_CASE("every op with a dim of one element, with nothing, and at the largest rank") {
  std::string table = fmt::format("{:<34} {:>7} {:>7} {:>13}\n", "calls with a dim of", "size 1",
                                  "size 0", "largest rank");
  for (const Op* op : swept_ops()) {
    Tally tally;
    for (const auto& [name, sample] : samples_of(*op)) sweep(tally, name, sample);
    table += fmt::format("{:<34} {:>7} {:>7} {:>13}\n", op->name, tally.one, tally.none,
                         tally.deep ? std::to_string(tally.deep) : "-");
    INFO(op->name << ": give it a sample that has a dim of size 1, or 0, or that can be resized");
    CHECK(tally.one > 0);
    CHECK(tally.none > 0);
  }
  write_report("shapes", table);
}
