// PyTorch's ops as calls of weft: by PyTorch's name, with PyTorch's arguments.
#pragma once

#include <weft/autograd/ops.h>

#include <nlohmann/json.hpp>

namespace weft {

// The arguments of a case that are not tensors.
class TorchArguments {
 public:
  explicit TorchArguments(nlohmann::json json) : json_(std::move(json)) {}
  bool has(const char* name) const { return json_.contains(name); }
  template <class T>
  T get(const char* name, T otherwise) const {
    return json_.value(name, otherwise);
  }
  int dim() const { return json_.at("dim").get<int>(); }
  int64_t integer(const char* name) const { return json_.at(name).get<int64_t>(); }
  double number(const char* name) const { return json_.at(name).get<double>(); }
  /// One number or several.
  std::vector<int64_t> list(const char* name) const {
    if (!has(name)) return {};
    const nlohmann::json& v = json_.at(name);
    return v.is_array() ? v.get<std::vector<int64_t>>() : std::vector<int64_t>{v.get<int64_t>()};
  }
  Shape shape(const char* name) const {
    const auto v = list(name);
    return Shape(std::span<const int64_t>(v));
  }
  Reduction reduction() const {
    const auto name = get<std::string>("reduction", "mean");
    return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
  }
  CrossEntropyOptions classes(const Tensor& weight = {}) const {
    return {weight, get<int64_t>("ignore_index", -100), get("label_smoothing", 0.0), reduction()};
  }

 private:
  nlohmann::json json_;
};

using TorchCall = Tensors (*)(const Tensors& in, const TorchArguments& a);

/// The op of that name, or null.
TorchCall torch_call(const std::string& op);

}  // namespace weft
