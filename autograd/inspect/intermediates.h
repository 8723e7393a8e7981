// Getting at intermediate results that have names, by module path.
//
//   Intermediates seen({"decoder.layers.1.multihead_attn.weights"});
//   loss(model(src, tgt)).backward();
//   seen["decoder.layers.1.multihead_attn.weights"].grad();  // [B, H, Tq, Tk]
#pragma once

#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/observer.h>
#include <weft/core/serialize.h>

#include <set>
#include <string>
#include <vector>

namespace weft {

/// Keeps the tensors that this thread names while it lives, under the path of the module that runs
/// and the name, "encoder.layers.0.self_attn.weights", and has their gradients retained. Fused
/// paths that would not compute a tensor that is asked for give way to the composed ones. The
/// tensors keep their graph alive.
class Intermediates : public Observer {
 public:
  /// Keeps all, or those of the full names in `wanted`.
  Intermediates() = default;
  explicit Intermediates(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}
  /// Cuts gradients off from the graphs of theirs that create_graph recorded: cycles otherwise.
  ~Intermediates() override;

  /// The latest of that name. If there is none, an Error that tells which names the modules that
  /// ran would give, wanted or not, and the nearest of them.
  Tensor operator[](const std::string& name) const;
  /// In the order in which they were named: a module that ran twice is in it twice, also if the
  /// second time was the backward of a checkpoint(), which is the one that gets the gradient.
  const NamedTensors& all() const { return kept_; }

  void tensor_named(const Tensor& t, const std::string& name) override;
  bool wants(const std::string& name) const override;

 private:
  std::vector<std::string> wanted_;
  mutable std::set<std::string> seen_;  // names that were given or, where that is optional, offered
  NamedTensors kept_;
};

}  // namespace weft
