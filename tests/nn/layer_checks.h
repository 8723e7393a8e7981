// What check_layers.cpp enumerates: by class, the reports of one or several settings.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/check_module.h>
#include <weft/tests/nn/numbers.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

using LayerReports = std::vector<weft::ModuleReport>;
using LayerChecks = std::map<std::string, std::function<LayerReports()>>;

/// Layers beside those of the Transformer: recurrent ones, other attentions, positions, norms.
LayerChecks other_layers();
