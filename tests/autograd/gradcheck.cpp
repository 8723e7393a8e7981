// The checker itself, and that no op of ops.h escapes it.
#include <weft/autograd/autograd.h>
#include <weft/autograd/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

const Op kCube{"test_cube", [](Samples& s) {
                 s.add("plain", {s.normal({3})}, [](const Tensors& in) { return pow(in[0], 3); });
               }};

// In value unequal to its composition: 0 / 0 where that has 1.
const Op kNan{"test_nan", [](Samples& s) {
                s.add(
                    "plain", {s.normal({3})},
                    [](const Tensors& in) { return in[0].detach() * 0 / zeros({3}, kFloat64); },
                    [](const Tensors& in) { return ones({3}, in[0].dtype()); });
              }};

// x^3 whose gradient is 3 x^2 times `error`.
template <class Error>
SampleFunction cube_with(Error error) {
  return [error](const Tensors& in) {
    const Tensor x = in[0];
    Tensor y = pow(x.detach(), 3);
    return Tensors{record(kCube, y, {x}, [x = save(x), error](Backward& b) {
      return error(b.dy() * pow(b.saved(x), 2) * 3);
    })};
  };
}

Tensors points() { return {tensor({{0.5, 1.5}, {-1, 2}}, kFloat64)}; }

// Recorded as another op and sampled with it, or without a gradient to check.
const std::map<std::string, std::string> kUnregistered = {
    {"attention_with_weights", "a composition; equal to scaled_dot_product_attention there"},
    {"masked_fill", "where; a sample there"},
    {"transpose", "permute; a sample there"},
    {"squeeze", "reshape; a sample there"},
    {"unsqueeze", "reshape; a sample there"},
    {"select", "slice; a sample there"},
    {"contiguous", "clone; a sample there"},
    {"sum_to", "sum; a sample there"},
    {"argmax", "integer result"},
    {"eq", "boolean result"},
    {"ne", "boolean result"},
    {"lt", "boolean result"},
    {"le", "boolean result"},
    {"gt", "boolean result"},
    {"ge", "boolean result"},
    {"logical_and", "boolean result"},
    {"logical_or", "boolean result"},
    {"logical_not", "boolean result"},
};

// Names of functions whose declaration begins a line: `Tensor name(...`.
std::set<std::string> declared_ops() {
  std::ifstream file(WEFT_SOURCE_DIR "/autograd/ops.h");
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    std::string type, name;
    std::istringstream(line) >> type >> name;
    const bool op = type == "Tensor" || type == "Tensors" || type == "AttentionWithWeights";
    const size_t bracket = name.find('(');
    if (op && line[0] != ' ' && bracket != std::string::npos) names.insert(name.substr(0, bracket));
  }
  return names;
}

}  // namespace

TEST_CASE("the gradient check passes what is right and counts what it compared") {
  const GradcheckReport r =
      gradcheck("cube", cube_with([](const Tensor& d) { return d; }), points());
  CHECK(r.failure.empty());
  CHECK(r.gradients == 4 + 8);  // 4 entries, then 4 of x and 4 of the cotangent
  CHECK(r.worst < 1e-8);
}

TEST_CASE("the gradient check fails on an error of 0.1 %") {
  const GradcheckReport r =
      gradcheck("cube", cube_with([](const Tensor& d) { return d * 1.001; }), points());
  CHECK_THAT(r.failure, Contains("cube: ") && Contains("input 0 at [1, 1]: analytic "));
  const GradcheckReport along = gradcheck(
      "cube", cube_with([](const Tensor& d) { return d * 1.001; }), points(), {.directions = 2});
  CHECK_THAT(along.failure, Contains("direction"));
}

TEST_CASE("the gradient check fails on NaN and on a gradient that is missing") {
  auto nan = [](const Tensor& d) { return d * std::numeric_limits<double>::quiet_NaN(); };
  CHECK_FALSE(gradcheck("cube", cube_with(nan), points()).failure.empty());
  auto none = [](const Tensor&) { return Tensor(); };
  CHECK_FALSE(gradcheck("cube", cube_with(none), points()).failure.empty());
}

TEST_CASE("the gradient check fails on a wrong second order alone") {
  auto cut = [](const Tensor& d) { return d.detach() + (d - d.detach()) * 0.5; };
  const auto f = cube_with(cut);
  CHECK(gradcheck("cube", f, points(), {.second_order = false}).failure.empty());
  CHECK_THAT(gradcheck("cube", f, points()).failure, Contains("cube: second order, input "));
}

TEST_CASE("an op's value is compared with its composition; NaN is not equal") {
  const OpReport r = check_op(kNan);
  REQUIRE_FALSE(r.failures.empty());
  CHECK(r.failures.back() == "test_nan/plain against its composition: values differ by nan");
}

TEST_CASE("the gradient check wants float64") {
  CHECK(message_of([] {
          gradcheck("cube", cube_with([](const Tensor& d) { return d; }), {ones({2})});
        }) == "gradcheck: floating inputs must be float64; input 0 of cube is float32");
}

TEST_CASE("every op that ops.h declares is registered, with a reason for each that is not") {
  const std::set<std::string> declared = declared_ops();
  CHECK(declared.size() > 70);
  std::set<std::string> registered;
  for (const Op* op : registered_ops()) registered.insert(op->name);
  for (const std::string& name : declared) {
    INFO(name);
    CHECK(registered.count(name) + kUnregistered.count(name) == 1);
  }
  for (const auto& [name, reason] : kUnregistered) {
    INFO(name << ": " << reason);
    CHECK(declared.count(name) == 1);
  }
}
