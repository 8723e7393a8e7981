// Optimizers of one's own: what their rules may do.
#include <weft/autograd/ops.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>

#include <functional>
#include <utility>

using namespace weft;

TEST_CASE("a rule that changes shape or dtype, or forgets a buffer, is refused by name") {
  struct Wrong : OptimizerOf<SgdOptions> {
    Wrong(const NamedTensors& p, std::function<Tensor(Tensors&, const Tensor&)> rule)
        : OptimizerOf("Wrong", {{p, {}}}), rule_(std::move(rule)) {}
    std::vector<std::string> buffer_names(size_t) const override { return {"trace"}; }
    Tensor update(Slot& slot, const Tensor& g) const override { return rule_(slot.buffers, g); }
    std::function<Tensor(Tensors&, const Tensor&)> rule_;
  };
  const auto complaint = [](std::function<Tensor(Tensors&, const Tensor&)> rule) {
    Tensor w = ones({2, 3}).set_requires_grad();
    w.set_grad(ones({2, 3}));
    Wrong wrong({{"w", w}}, std::move(rule));
    return message_of([&] { wrong.step(); });
  };
  CHECK(complaint([](Tensors&, const Tensor& g) { return g; }).empty());
  CHECK(complaint([](Tensors&, const Tensor& g) { return sum(g); }) ==
        "Wrong: the rule must make the new parameter of \"w\" float32 [2, 3]; got float32 []");
  CHECK(complaint([](Tensors& b, const Tensor& g) {
          b[0] = to(g, kFloat64);
          return g;
        }) ==
        "Wrong: the rule must make the new trace of \"w\" float32 [2, 3]; got float64 [2, 3]");
  CHECK(complaint([](Tensors& b, const Tensor& g) {
          b[0] = Tensor();
          return g;
        }) ==
        "Wrong: the rule must make the new trace of \"w\" float32 [2, 3]; got an undefined tensor");
  CHECK(complaint([](Tensors& b, const Tensor& g) {
          b.clear();
          return g;
        }) == "Wrong: the rule must keep 1 buffers; got 0");
}

TEST_CASE("a rule may keep the gradient itself, and get it scaled") {
  struct Last : OptimizerOf<SgdOptions> {
    explicit Last(const NamedTensors& p) : OptimizerOf("Last", {{p, {.lr = 2}}}) {}
    std::vector<std::string> buffer_names(size_t) const override { return {"last"}; }
    Tensor update(Slot& slot, const Tensor& g) const override {
      const Tensor before = slot.buffers[0] * 1.0;
      slot.buffers[0] = g;
      return slot.parameter - lr() * before;
    }
  };
  Tensor w = zeros({2}).set_requires_grad();
  Last last({{"w", w}});
  Tensor gradient = tensor({1.0, 2.0});
  w.set_grad(gradient);
  last.step();
  gradient.mutable_data<float>()[0] = 100;  // the buffer is a copy
  CHECK(w.to_vector<float>() == std::vector<float>{0, 0});
  last.step(0.5);
  CHECK(w.to_vector<float>() == std::vector<float>{-2, -4});
  last.step();
  CHECK(w.to_vector<float>() == std::vector<float>{-102, -6});
}

TEST_CASE("a rule may exchange a buffer and the parameter") {
  struct Exchange : OptimizerOf<SgdOptions> {
    explicit Exchange(const NamedTensors& p) : OptimizerOf("Exchange", {{p, {}}}) {}
    std::vector<std::string> buffer_names(size_t) const override { return {"other"}; }
    Tensor update(Slot& slot, const Tensor&) const override {
      return std::exchange(slot.buffers[0], slot.parameter);
    }
  };
  Tensor w = tensor({1.0, 2.0}).set_requires_grad();
  w.set_grad(ones({2}));
  Exchange exchange({{"w", w}});
  exchange.step();
  CHECK(w.to_vector<float>() == std::vector<float>{0, 0});
  exchange.step();
  CHECK(w.to_vector<float>() == std::vector<float>{1, 2});
}
