// Every registered op, by itself: gradients to third order, float32 against float64, equality with
// compositions, and error messages.
#include <fmt/format.h>
#include <weft/autograd/check/check_op.h>
#include <weft/tests/catch.h>
#include <weft/tests/report.h>

using namespace weft;

TEST_CASE("every op passes the gradient check") {
  std::string table =
      "op                               samples  order 1  order 2  order 3  float32  errors  "
      "worst\n";
  OpReport all;
  int ops = 0;
  for (const Op* op : registered_ops()) {
    if (std::string(op->name).rfind("test_", 0) == 0) continue;  // some are wrong on purpose
    const OpReport r = check_op(*op);
    table +=
        fmt::format("{:<32} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7}  {:.0e}\n", op->name, r.samples,
                    r.gradients[0], r.gradients[1], r.gradients[2], r.singles, r.errors, r.worst);
    for (const std::string& f : r.failures) FAIL_CHECK(f);
    CHECK(r.gradients[2] > 0);
    ++ops;
    all.samples += r.samples;
    for (size_t k = 0; k < 3; ++k) all.gradients[k] += r.gradients[k];
    all.singles += r.singles;
    all.errors += r.errors;
    all.worst = std::max(all.worst, r.worst);
  }
  table += fmt::format("{:<32} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7}  {:.0e}\n",
                       fmt::format("{} ops, none skipped", ops), all.samples, all.gradients[0],
                       all.gradients[1], all.gradients[2], all.singles, all.errors, all.worst);
  write_report("ops", table);
}
