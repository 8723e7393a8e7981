// A case of a fixture made by PyTorch: runs a module on its inputs and compares outputs, gradients
// and second order (see tests/fixtures/README.md for the names).
#pragma once

#include <weft/core/serialize.h>
#include <weft/nn/module.h>
#include <weft/tests/torch_tally.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

using TensorsByName = std::map<std::string, weft::Tensor>;

/// What a comparison allows, relative to max(1, largest magnitude) of each tensor.
struct TorchTolerance {
  double value = 1e-12;
  double gradient = 1e-12;
  double second = 1e-10;
};

class TorchCase {
 public:
  TorchCase(const weft::SafetensorsFile& file, const std::string& name);

  const nlohmann::json& settings() const { return settings_; }
  /// The setting, or `fallback` where it is missing or null.
  template <class T>
  T get(const char* key, T fallback) const {
    const auto found = settings_.find(key);
    return found == settings_.end() || found->is_null() ? fallback : found->get<T>();
  }

  /// Loads the parameters into `module` by name, runs `forward` on the inputs in float64 and
  /// CHECKs everything that the case holds; then in float32 against PyTorch's own error.
  TorchTally check(weft::Module& module,
                   const std::function<TensorsByName(const TensorsByName& inputs)>& forward,
                   const TorchTolerance& tolerance = {}) const;

 private:
  TensorsByName with_prefix(const std::string& prefix) const;
  TensorsByName derive(weft::Module& module,
                       const std::function<TensorsByName(const TensorsByName&)>& forward,
                       weft::DType dtype) const;

  std::string name_;
  nlohmann::json settings_;
  TensorsByName tensors_;
};

/// Layers by name, and what compares all cases of one.
using TorchLayers = std::map<std::string, TorchTally (*)()>;
TorchLayers torch_attention_layers();
TorchLayers torch_recurrent_layers();
TorchLayers torch_transformer_layers();

/// The cases of tests/fixtures/<stem>.safetensors.
std::vector<TorchCase> torch_cases(const std::string& stem);

/// Those of them whose setting `kind` is that.
std::vector<TorchCase> torch_cases(const std::string& stem, const std::string& kind);
