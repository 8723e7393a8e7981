// What check_layers.cpp enumerates: by class, the reports of one or several settings.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/check_module.h>

#include <map>
#include <set>

using LayerReports = std::vector<weft::ModuleReport>;
using LayerChecks = std::map<std::string, std::function<LayerReports()>>;

inline weft::Tensor normal(const weft::Shape& shape, uint64_t seed = 5) {
  weft::Generator generator(seed);
  return randn(shape, generator, weft::kFloat64);
}

/// Layers beside those of the Transformer: recurrent ones, other attentions, positions, norms.
LayerChecks other_layers();

/// The layers that the headers of nn declare.
std::set<std::string> declared_layers();
