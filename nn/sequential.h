// Sequential: y = f_n(... f_1(x)), and activations as layers to put in it.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/module.h>

namespace weft {

/// A chain of layers from one tensor to one tensor, named "0", "1", ...
///
///   Sequential mlp;
///   mlp.add<Linear>(8, 32, gen)
///       .add<Activation>([](const Tensor& x) { return gelu(x); })
///       .add<Linear>(32, 8, gen);
class Sequential : public Layer<Sequential> {
 public:
  template <class L, class... Args>
  Sequential& add(Args&&... args) {
    L& layer = child<L>(std::to_string(steps_.size()), std::forward<Args>(args)...);
    steps_.push_back([&layer](const Tensor& x) { return layer(x); });
    return *this;
  }

  Tensor forward(const Tensor& x) {
    Tensor y = x;
    for (const auto& step : steps_) y = step(y);
    return y;
  }

 private:
  std::vector<std::function<Tensor(const Tensor&)>> steps_;
};

/// A function of one tensor as a layer without parameters.
class Activation : public Layer<Activation> {
 public:
  explicit Activation(std::function<Tensor(const Tensor&)> f) : f_(std::move(f)) {}
  Tensor forward(const Tensor& x) { return f_(x); }

 private:
  std::function<Tensor(const Tensor&)> f_;
};

}  // namespace weft
