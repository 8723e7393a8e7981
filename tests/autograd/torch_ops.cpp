// Every op against PyTorch's numbers (tests/fixtures/ops.safetensors): values, gradients, and
// gradients of gradients, in float64. Where weft differs on purpose, kDifferent says so here and
// docs/differences-from-pytorch.md says so to users.
#include <fmt/format.h>
#include <weft/autograd/autograd.h>
#include <weft/core/serialize.h>
#include <weft/tests/autograd/torch_calls.h>
#include <weft/tests/catch.h>
#include <weft/tests/report.h>

#include <map>
#include <set>

using namespace weft;

namespace {

using Json = nlohmann::json;

// Cases that weft does not have.
const std::set<std::string> kMissing = {"slice.step"};

// Tensors that differ on purpose.
const std::map<std::string, const char*> kDifferent = {
    {"max.tie_dim.grad0", "ties along a dim share the gradient, as in amax"},
    {"min.tie_dim.grad0", "ties along a dim share the gradient, as in amin"},
};

// One case: what the file says about it, and how far weft is from that.
class Case {
 public:
  Case(const SafetensorsFile& file, std::string name, TorchCall call, const Json& arguments)
      : file_(file), name_(std::move(name)), call_(call), arguments_(arguments) {}

  void run() {
    for (size_t i = 0; has("input", i); ++i) {
      Tensor x = clone(get("input", i));
      if (has("grad", i)) x.set_requires_grad();
      inputs_.push_back(x);
    }
    const Tensors outputs = call_(inputs_, arguments_);
    Tensors ys, cotangents;
    const bool single = file_.contains(name_ + ".output");
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string index = single ? "" : std::to_string(i);
      compare("output" + index, outputs[i], 1e-12);
      if (!file_.contains(name_ + ".cotangent" + index)) continue;
      ys.push_back(outputs[i]);
      cotangents.push_back(file_.at(name_ + ".cotangent" + index));
    }
    if (!ys.empty()) compare_gradients(ys, cotangents);
  }

  int compared() const { return compared_; }
  double worst() const { return worst_; }

 private:
  bool has(const char* kind, size_t i) const {
    return file_.contains(fmt::format("{}.{}{}", name_, kind, i));
  }
  Tensor get(const char* kind, size_t i) const {
    return file_.at(fmt::format("{}.{}{}", name_, kind, i));
  }

  void compare_gradients(const Tensors& ys, const Tensors& cotangents) {
    std::vector<size_t> which;
    Tensors xs;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].requires_grad()) {
        which.push_back(i);
        xs.push_back(inputs_[i]);
      }
    const Tensors once = grad(ys, xs, {cotangents, true});
    const Tensors again = grad(ys, xs, {cotangents, false, true});
    Tensor inner = zeros({}, kFloat64);
    for (size_t k = 0; k < which.size(); ++k) {
      compare(fmt::format("grad{}", which[k]), once[k], 1e-12);
      compare(fmt::format("grad{}", which[k]), again[k], 1e-12);  // the differentiable formula
      if (has("direction", which[k])) inner = inner + sum(again[k] * get("direction", which[k]));
    }
    const Tensors second =
        inner.requires_grad() ? grad({inner}, xs, {.allow_unused = true}) : Tensors(xs.size());
    for (size_t k = 0; k < which.size(); ++k) {
      if (!has("second", which[k])) continue;
      const Tensor found = second[k].defined() ? second[k] : zeros(xs[k].shape(), kFloat64);
      compare(fmt::format("second{}", which[k]), found, 1e-10);
    }
  }

  void compare(const std::string& what, const Tensor& found, double tolerance) {
    const std::string full = name_ + "." + what;
    INFO(full);
    const Tensor want = file_.at(full);
    REQUIRE(found.shape() == want.shape());
    ++compared_;
    if (want.numel() == 0) return;
    const Tensor a = to(found.detach(), kFloat64), b = to(want, kFloat64);
    const double error = max(abs(a - b)).item() / std::max(1.0, max(abs(b)).item());
    if (kDifferent.count(full)) {
      CHECK(error > tolerance);
      return;
    }
    CHECK(error <= tolerance);
    worst_ = std::max(worst_, error);
  }

  const SafetensorsFile& file_;
  const std::string name_;
  const TorchCall call_;
  const TorchArguments arguments_;
  Tensors inputs_;
  int compared_ = 0;
  double worst_ = 0;  // of max(1, largest magnitude)
};

}  // namespace

TEST_CASE("ops give PyTorch's values and derivatives") {
  const auto file = load_safetensors(WEFT_TEST_DATA "/ops.safetensors");
  const Json settings = Json::parse(file.metadata.at("settings"));
  int cases = 0, compared = 0;
  double worst = 0;
  for (const auto& [name, setting] : settings.items()) {
    const auto op = setting.at("op").get<std::string>();
    if (kMissing.count(name)) continue;
    const TorchCall call = torch_call(op);
    INFO(name);
    REQUIRE(call != nullptr);
    Case one_case(file, name, call, setting.at("arguments"));
    one_case.run();
    ++cases;
    compared += one_case.compared();
    worst = std::max(worst, one_case.worst());
  }
  write_report("torch_ops", fmt::format("PyTorch's ops: {} cases, {} tensors compared, largest "
                                        "difference {:.0e}\n",
                                        cases, compared, worst));
  CHECK(cases == 283);
  CHECK(compared > 1000);
}
