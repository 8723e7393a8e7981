#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/freeze.h>

#include <algorithm>
#include <sstream>

namespace weft {

void freeze(Module& model, const std::string& prefixes) {
  const NamedTensors all = model.named_parameters();
  std::istringstream list(prefixes);
  for (std::string prefix; std::getline(list, prefix, ',');) {
    bool found = false;
    for (const NamedTensor& p : all) {
      if (prefix.empty() || !p.name.starts_with(prefix)) continue;
      Tensor(p.tensor).set_requires_grad(false);
      found = true;
    }
    check(found, "freeze: no parameter's name begins with '{}'", prefix);
  }
  const auto learns = [](const NamedTensor& p) { return p.tensor.requires_grad(); };
  check(std::any_of(all.begin(), all.end(), learns), "freeze: {} leaves nothing to train",
        prefixes);
}

}  // namespace weft
