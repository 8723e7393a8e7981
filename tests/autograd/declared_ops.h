// What autograd/ops.h declares, for tests that nothing of it is left out.
#pragma once

#include <weft/tests/places.h>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

/// Names of functions whose declaration begins a line: `Tensor name(...`.
inline std::set<std::string> declared_ops() {
  std::ifstream file(source_file("autograd/ops.h"));
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
