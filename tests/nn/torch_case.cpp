#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/torch_case.h>
#include <weft/tests/places.h>

#include <cmath>

using namespace weft;

namespace {

bool starts_with(const std::string& s, const std::string& prefix) {
  return s.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace

TorchCase::TorchCase(const SafetensorsFile& file, const std::string& name)
    : name_(name), settings_(nlohmann::json::parse(file.metadata.at("settings")).at(name)) {
  for (const NamedTensor& t : file.tensors)
    if (starts_with(t.name, name + ".")) tensors_[t.name.substr(name.size() + 1)] = t.tensor;
}

TensorsByName TorchCase::with_prefix(const std::string& prefix) const {
  TensorsByName found;
  for (const auto& entry : tensors_)
    if (starts_with(entry.first, prefix)) found[entry.first.substr(prefix.size())] = entry.second;
  return found;
}

TensorsByName TorchCase::derive(Module& module,
                                const std::function<TensorsByName(const TensorsByName&)>& forward,
                                DType dtype) const {
  NamedTensors state;
  for (const auto& p : with_prefix("param.")) state.push_back({p.first, p.second});
  module.to(kFloat64);
  module.load_state_dict(state);
  module.to(dtype);

  auto cast = [dtype](const Tensor& t) { return is_floating(t.dtype()) ? to(t, dtype) : t; };
  TensorsByName inputs, leaves, results;
  for (const auto& entry : with_prefix("input.")) {
    Tensor leaf = cast(entry.second).detach();
    if (is_floating(leaf.dtype())) leaves["input." + entry.first] = leaf.set_requires_grad();
    inputs[entry.first] = leaf;
  }
  for (const NamedTensor& p : module.named_parameters()) leaves["param." + p.name] = p.tensor;

  Tensors outputs, cotangents, wanted, directed, directions;
  for (const auto& y : forward(inputs)) {
    results["output." + y.first] = y.second.detach();
    outputs.push_back(y.second);
    cotangents.push_back(cast(tensors_.at("cotangent." + y.first)));
  }
  for (const auto& leaf : leaves) wanted.push_back(leaf.second);
  const Tensors gradients = grad(outputs, wanted, {cotangents, true, true, true});
  size_t i = 0;
  Tensors second_of;
  std::vector<std::string> second_names;
  for (const auto& leaf : leaves) {
    const Tensor g = gradients[i].defined() ? gradients[i] : zeros(wanted[i].shape(), dtype);
    ++i;
    results["grad." + leaf.first] = g.detach();
    const auto direction = tensors_.find("direction." + leaf.first);
    if (direction == tensors_.end()) continue;
    second_of.push_back(leaf.second);
    second_names.push_back("second." + leaf.first);
    if (!g.requires_grad()) continue;
    directed.push_back(g);
    directions.push_back(cast(direction->second));
  }
  if (directed.empty()) return results;
  const Tensors second = grad(directed, second_of, {directions, false, false, true});
  for (size_t k = 0; k < second.size(); ++k)
    results[second_names[k]] =
        second[k].defined() ? second[k].detach() : zeros(second_of[k].shape(), dtype);
  return results;
}

TorchTally TorchCase::check(Module& module,
                            const std::function<TensorsByName(const TensorsByName&)>& forward,
                            const TorchTolerance& tolerance) const {
  TensorsByName exact = derive(module, forward, kFloat64),
                single = derive(module, forward, kFloat32);
  TorchTally tally{.cases = 1};
  for (const auto& [what, want] : tensors_) {
    const bool value = starts_with(what, "output."), second = starts_with(what, "second.");
    if (!value && !second && !starts_with(what, "grad.")) continue;
    INFO(name_ << ": " << what);
    tally.exact(exact[what], want,
                value    ? tolerance.value
                : second ? tolerance.second
                         : tolerance.gradient,
                second);
    tally.in_float32(single[what], want, settings_.at("float32_error").at(what).get<double>());
  }
  return tally;
}

std::vector<TorchCase> torch_cases(const std::string& stem) {
  const SafetensorsFile file = load_safetensors(test_data(stem + ".safetensors"));
  const nlohmann::json settings = nlohmann::json::parse(file.metadata.at("settings"));
  std::vector<TorchCase> cases;
  for (const auto& entry : settings.items()) cases.emplace_back(file, entry.key());
  return cases;
}

std::vector<TorchCase> torch_cases(const std::string& stem, const std::string& kind) {
  std::vector<TorchCase> cases = torch_cases(stem);
  std::erase_if(cases, [&](const TorchCase& c) { return c.settings().at("kind") != kind; });
  return cases;
}
