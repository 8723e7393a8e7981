// Every op against PyTorch's numbers (tests/fixtures/ops.safetensors): values, gradients, and
// gradients of gradients, in float64 and float32. Where weft differs on purpose, kDifferent says so
// here and docs/differences-from-pytorch.md says so to users.
#include <fmt/format.h>
#include <weft/autograd/autograd.h>
#include <weft/core/serialize.h>
#include <weft/tests/autograd/declared_ops.h>
#include <weft/tests/autograd/torch_calls.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>
#include <weft/tests/report.h>
#include <weft/tests/torch_tally.h>

#include <map>
#include <set>

using namespace weft;

namespace {

using Json = nlohmann::json;

// Why some of weft's ops are not among the cases.
const std::map<std::string, const char*> kReasons = {
    {"attention_with_weights", "in the cases of MultiheadAttention"},
    {"dropout", "its mask is not PyTorch's"},
    {"gru_scan", "in the cases of GRU"},
    {"linear_r_drop", "PyTorch has no such loss; r_drop.cpp has its formula"},
    {"lstm_scan", "in the cases of LSTM"},
};

// Tensors that differ on purpose.
const std::map<std::string, const char*> kDifferent = {
    {"max.tie_dim.grad0", "ties along a dim share the gradient, as in amax"},
    {"min.tie_dim.grad0", "ties along a dim share the gradient, as in amin"},
};

// One case: what the file says about it, and what weft makes of it.
class Case {
 public:
  Case(const SafetensorsFile& file, std::string name, const Json& setting)
      : file_(file),
        name_(std::move(name)),
        call_(torch_call(setting.at("op"))),
        arguments_(setting.at("arguments")),
        torch_error_(setting.at("float32_error")) {}

  TorchTally run() const {
    REQUIRE(call_ != nullptr);
    TorchTally tally{.cases = 1};
    for (const auto& [what, found] : derive(kFloat64)) {
      const std::string full = name_ + "." + what;
      const bool second = what.rfind("second", 0) == 0;
      INFO(full);
      if (kDifferent.contains(full))
        CHECK(relative_error(found, file_.at(full), 1) > 1e-12);
      else
        tally.exact(found, file_.at(full), second ? 1e-10 : 1e-12, second);
    }
    for (const auto& [what, found] : derive(kFloat32)) {
      const std::string full = name_ + "." + what;
      INFO(full);
      if (!kDifferent.contains(full))
        tally.in_float32(found, file_.at(full), torch_error_.at(what).get<double>());
    }
    return tally;
  }

 private:
  using Results = std::vector<std::pair<std::string, Tensor>>;

  bool has(const std::string& what) const { return file_.contains(name_ + "." + what); }
  Tensor get(const std::string& what, DType dtype) const {
    const Tensor t = file_.at(name_ + "." + what);
    return is_floating(t.dtype()) ? to(t, dtype).detach() : t;
  }

  Results derive(DType dtype) const {
    Tensors inputs, xs, ys, cotangents;
    std::vector<std::string> which;  // of the inputs, those with gradients
    for (size_t i = 0; has(fmt::format("input{}", i)); ++i) {
      inputs.push_back(get(fmt::format("input{}", i), dtype));
      if (!has(fmt::format("grad{}", i))) continue;
      which.push_back(std::to_string(i));
      xs.push_back(inputs.back().set_requires_grad());
    }
    Results results;
    const Tensors outputs = call_(inputs, arguments_);
    CHECK_FALSE(has(fmt::format("output{}", outputs.size())));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string index = has("output") ? "" : std::to_string(i);
      results.emplace_back("output" + index, outputs[i]);
      if (!has("cotangent" + index)) continue;
      ys.push_back(outputs[i]);
      cotangents.push_back(get("cotangent" + index, outputs[i].dtype()));
    }
    if (!ys.empty()) derive_gradients(results, ys, cotangents, xs, which);
    return results;
  }

  void derive_gradients(Results& results, const Tensors& ys, const Tensors& cotangents,
                        const Tensors& xs, const std::vector<std::string>& which) const {
    const Tensors once = grad(ys, xs, {cotangents, true});
    const Tensors again = grad(ys, xs, {cotangents, false, true});  // the differentiable formula
    Tensor inner = zeros({}, xs[0].dtype());
    for (size_t k = 0; k < which.size(); ++k) {
      results.emplace_back("grad" + which[k], once[k]);
      results.emplace_back("grad" + which[k], again[k]);
      if (has("direction" + which[k]))
        inner = inner + sum(again[k] * get("direction" + which[k], xs[k].dtype()));
    }
    const Tensors second =
        inner.requires_grad() ? grad({inner}, xs, {.allow_unused = true}) : Tensors(xs.size());
    for (size_t k = 0; k < which.size(); ++k)
      if (has("second" + which[k]))
        results.emplace_back("second" + which[k],
                             second[k].defined() ? second[k] : zeros(xs[k].shape(), xs[k].dtype()));
  }

  const SafetensorsFile& file_;
  const std::string name_;
  const TorchCall call_;
  const TorchArguments arguments_;
  const Json torch_error_;
};

struct Fixtures {
  SafetensorsFile file = load_safetensors(test_data("ops.safetensors"));
  Json settings = Json::parse(file.metadata.at("settings"));
};

}  // namespace

TEST_CASE("ops give PyTorch's values and derivatives") {
  const Fixtures fixtures;
  TorchTally all;
  std::set<std::string> ops;
  for (const auto& [name, setting] : fixtures.settings.items()) {
    INFO(name);
    all += Case(fixtures.file, name, setting).run();
    ops.insert(setting.at("op"));
  }
  write_report("torch_ops", torch_table_heading("op against PyTorch") +
                                torch_table_row(fmt::format("{} ops", ops.size()), all) +
                                torch_table_missing(declared_ops(), ops, kReasons) +
                                torch_table_different(kDifferent));
  CHECK(all.tensors > 1000);
}
