#include <weft/autograd/ops.h>
#include <weft/nn/init.h>
#include <weft/nn/linear.h>
#include <weft/seq2seq/run/divergence.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <limits>

using namespace weft;
using Catch::Matchers::StartsWith;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

class Outer : public Layer<Outer> {
 public:
  Outer() : inner_(child<Linear>("inner", 2, 3, Generator(1))) {
    Generator generator(1);
    init::normal(inner_.weight, 0, 1e10, generator);
  }
  Tensor forward(const Tensor& x) { return inner_(x); }

 private:
  Linear& inner_;
};

}  // namespace

TEST_CASE("divergence: a loss must be a number, and not a hundred times what guessing costs") {
  const double guessing = std::log(50.0);
  CHECK(fault_of_loss(guessing, 50).empty());
  CHECK(fault_of_loss(100 * guessing, 50).empty());
  CHECK(fault_of_loss(100.01 * guessing, 50) == "the loss is 391, where guessing costs 3.91");
  CHECK(fault_of_loss(4e10, 50) == "the loss is 4e+10, where guessing costs 3.91");
  CHECK(fault_of_loss(kNan, 50) == "the loss is nan");
  CHECK(fault_of_loss(-kNan, 50) == "the loss is nan");
  CHECK(fault_of_loss(kInfinity, 50) == "the loss is inf");
}

TEST_CASE("divergence: of an update, the gradient's norm must be a number too") {
  CHECK(fault_of_update(1, 1e30, 50).empty());
  CHECK(fault_of_update(1, kNan, 50) == "the gradient's norm is nan");
  CHECK(fault_of_update(1, kInfinity, 50) == "the gradient's norm is inf");
  CHECK(fault_of_update(kInfinity, kNan, 50) == "the loss is inf");
}

TEST_CASE("divergence: the cause is the op and the module where it began") {
  Outer outer;
  const Tensor bad = from_vector<float>({1, std::numeric_limits<float>::max()}, {1, 2});
  const std::string cause = cause_of_fault([&] { sum(outer(bad * 1e5)).backward(); });
  CHECK_THAT(cause, StartsWith("mul: the result must be finite; got inf at [0, 1]"));
  CHECK(cause.find('\n') == std::string::npos);
  const Tensor large = full({1, 2}, 1e30);
  const std::string inside = cause_of_fault([&] { sum(outer(large)).backward(); });
  CHECK_THAT(inside, StartsWith("linear in inner: the result must be finite"));
}

TEST_CASE("divergence: where all is finite, the cause is the largest result") {
  Outer outer;
  const Tensor large = full({4, 2}, 1e10);
  CHECK_THAT(
      cause_of_fault([&] { sum(outer(large)).backward(); }),
      StartsWith("the largest result is ") && Catch::Matchers::EndsWith(", of linear in inner"));
}

TEST_CASE("divergence: advice is of what is left to do") {
  TrainConfig c;
  c.learning_rate = 0.5;
  CHECK(advice_on_divergence(c, false) == "begin anew with a lower --lr than 0.5, --clip 1");
  CHECK(advice_on_divergence(c, true) ==
        "go on with --resume and a lower --lr than 0.5, or begin anew with --clip 1");
  c.clip = 5;
  c.warmup = 10;
  CHECK(
      advice_on_divergence(c, false) ==
      "begin anew with a lower --lr than 0.5, a smaller --clip than 5, a longer --warmup than 10");
  c.clip = 1;
  c.warmup = 4000;
  CHECK(advice_on_divergence(c, false) == "begin anew with a lower --lr than 0.5");
  CHECK(advice_on_divergence(c, true) == "go on with --resume and a lower --lr than 0.5");
}
