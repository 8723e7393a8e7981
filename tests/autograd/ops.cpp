// Every registered op, by itself: gradients of first and second order, float32 against float64,
// equality with compositions, and error messages.
#include <weft/autograd/gradcheck.h>
#include <weft/tests/catch.h>

#include <cstdio>

using namespace weft;

TEST_CASE("every op passes the gradient check") {
  int samples = 0, gradients = 0;
  for (const Op* op : registered_ops()) {
    if (std::string(op->name).rfind("test_", 0) == 0) continue;  // some are wrong on purpose
    const OpReport r = check_op(*op);
    std::printf("%-40s %3d samples %6d gradients %3d errors  worst %.1e\n", op->name, r.samples,
                r.gradients, r.errors, r.worst);
    for (const std::string& f : r.failures) FAIL_CHECK(f);
    samples += r.samples;
    gradients += r.gradients;
  }
  std::printf("%zu ops, %d samples, %d gradients\n", registered_ops().size(), samples, gradients);
  CHECK(samples > 0);
}
